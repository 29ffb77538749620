//! `bloodseg doctor`: whether this machine can run bloodseg, and what to do if not.

mod need;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde::Serialize;

use super::{args::Args as AllArgs, budget as needs, print, session::Session};
use crate::{
    camera::open::{Wish, open},
    config::{Config, SourceKind},
    doctor::{self, Finding, Machine, Outcome, clock, config, models, mqtt, page, service},
    error::Result,
};
use bloodseg_clock::{Clock, SystemClock};

const AFTER_HELP: &str = "\
Examples:
  bloodseg doctor
  bloodseg doctor --config /etc/bloodseg/config.toml --out /var/lib/bloodseg
  bloodseg doctor --json";

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct DoctorArgs {
    /// Results folder that a run would use [default: output.dir of the config]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Size of the analysed frames in pixels, for the memory of a run [default: that of the sources in the config, else
    /// 64x64]
    #[arg(long, value_name = "WxH", value_parser = needs::size)]
    frame: Option<[u32; 2]>,

    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    exit_code: u8,
    findings: &'a [Finding],
}

/// Runs the command. Faults of the machine are its result, not errors.
///
/// # Errors
/// Only [`ErrorKind::Internal`](crate::error::ErrorKind::Internal).
pub(super) fn run(all: &AllArgs, args: &DoctorArgs) -> Result<ExitCode> {
    let findings = findings(all, args);
    let exit_code = doctor::exit_code(&findings);
    if args.json {
        let report = Report { exit_code, findings: &findings };
        print::json("doctor", &report)?;
    } else {
        findings.iter().for_each(print_one);
        print::line(summary(&findings));
    }
    Ok(ExitCode::from(exit_code))
}

/// All checks, in the order in which a run would encounter their faults.
fn findings(all: &AllArgs, args: &DoctorArgs) -> Vec<Finding> {
    let (machine, now) = (Machine::default(), SystemClock::start());
    let (of_config, config) = config::check(all.config.as_deref());
    let mut findings = vec![of_config];
    findings.extend(cameras(&config, &machine));
    findings.extend(folders(&config));
    let session = Session::with(config, all);
    let (of_models, pipeline) = models::check(session.models(), session.threads(), &now);
    findings.push(of_models);
    findings.push(need::check(&session, pipeline, args.frame, &machine));
    findings.push(mqtt::check(&session.config.mqtt));
    findings.push(disk(&session.config, args));
    findings.push(page::check(session.config.http.address, service::is_running(&machine)));
    findings.push(clock::check(now.wall(), &machine.run));
    findings.push(service::check(&machine));
    findings
}

/// Folders in the config that a run could not read.
fn folders(config: &Config) -> Vec<Finding> {
    let named = config.source.iter().filter(|(_, source)| source.kind == SourceKind::Folder);
    let errors = named.filter_map(|(name, _)| open(name, config, Wish::default()).err());
    errors.map(|error| Finding::fault("source", &error)).collect()
}

#[cfg(target_os = "linux")]
fn cameras(config: &Config, machine: &Machine) -> Vec<Finding> {
    doctor::camera::check(config, &machine.dev, &doctor::camera::of_this_machine, service::is_running(machine))
}

#[cfg(not(target_os = "linux"))]
fn cameras(_: &Config, _: &Machine) -> Vec<Finding> {
    vec![Finding::skipped("camera", "cameras are only supported on Linux", "")]
}

#[cfg(target_os = "linux")]
fn disk(config: &Config, args: &DoctorArgs) -> Finding {
    let folder = args.out.as_ref().or(config.output.dir.as_ref());
    // Without a configured rate each camera delivers what it can, so one per second is a low estimate.
    let fps = config.source.values().filter_map(|source| source.fps).fold(1.0, f64::max);
    let most_bytes = config.records.retention().most_bytes;
    doctor::disk::check(folder.map(PathBuf::as_path), fps, most_bytes, &doctor::disk::space)
}

#[cfg(not(target_os = "linux"))]
fn disk(_: &Config, _: &DoctorArgs) -> Finding {
    Finding::skipped("disk", "free space is only checked on Linux", "")
}

fn print_one(finding: &Finding) {
    let Finding { check, outcome, found, expected, todo, .. } = finding;
    let mark = match outcome {
        Outcome::Ok => "ok",
        Outcome::Look => "look",
        Outcome::Fault => "FAULT",
        Outcome::Skipped => "none",
    };
    print::line(format_args!("{mark:<6} {check:<8} {found}"));
    if !expected.is_empty() {
        print::line(format_args!("{:<16}expected: {expected}", ""));
    }
    if !todo.is_empty() {
        print::line(format_args!("{:<16}to do: {todo}", ""));
    }
}

fn summary(findings: &[Finding]) -> String {
    let count = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count();
    let (looks, faults) = (count(Outcome::Look), count(Outcome::Fault));
    match (faults, looks) {
        (0, 0) => "no problems: a run can start".to_owned(),
        (0, _) => format!("a run can start; {looks} to check"),
        _ => format!("faults: {faults}, to check: {looks}; fix the faults first"),
    }
}
