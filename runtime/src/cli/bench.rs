//! `bloodseg bench`: speed and memory on this machine.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{print, session::Session};
use crate::{
    bench::{self, BenchReport, Effort, Timings, alone},
    error::Result,
};
use bloodseg_vision::engine::{STOCK, Setup};

/// Arguments of `bench`.
///
/// The input is rendered, so no file is needed. ssr and unet measure only the engine, one tile per run on one thread;
/// pipeline measures a whole 64x64 frame, from picture to cells.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,

    /// Maximum runs of each stage; at least three are made
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tiles: u32,

    /// Maximum seconds for each stage
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,

    /// Use this kernel for the convolutions; `stock` leaves everything to tract [default: the fastest one for this
    /// processor]
    #[arg(long, value_name = "NAME", value_parser = with_kernel)]
    kernel: Option<Setup>,

    /// Load only this model, run it exactly --tiles times, and print nothing: for instruction counters and profilers
    #[arg(long, value_name = "NET", conflicts_with_all = ["json", "seconds"])]
    engine: Option<Net>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Net {
    /// Super-resolution
    Ssr,
    /// Segmentation
    Unet,
}

fn with_kernel(name: &str) -> std::result::Result<Setup, String> {
    let known = Setup::kernels().join(", ");
    Setup::with_kernel(name).ok_or_else(|| format!("expected one that this processor supports ({known}), or {STOCK}"))
}

/// Runs the command.
///
/// # Errors
/// Those of the models.
pub(super) fn run(session: &Session, args: &BenchArgs) -> Result<()> {
    let setup = args.kernel.clone().unwrap_or_default();
    if let Some(net) = args.engine {
        let net = match net {
            Net::Ssr => alone::Net::Ssr,
            Net::Unet => alone::Net::Unet,
        };
        return alone::run(&session.models()?, net, args.tiles, &setup);
    }
    let effort = Effort { tiles: args.tiles, time: Duration::from_secs(args.seconds) };
    let report = bench::run(&session.models()?, effort, &setup)?;
    if args.json {
        print::json("bench", &report)?;
    } else {
        table(&report);
    }
    Ok(())
}

fn table(report: &BenchReport) {
    print::line(format_args!("{:<10}{:>11}{:>11}{:>11}{:>8}", "stage", "median ms", "p95 ms", "max ms", "runs"));
    let row = |name: &str, times: &Timings| {
        let Timings { median_ms, p95_ms, max_ms, runs, .. } = times;
        print::line(format_args!("{name:<10}{median_ms:>11.3}{p95_ms:>11.3}{max_ms:>11.3}{runs:>8}"));
    };
    let stages = &report.stages;
    row("ssr", &stages.ssr);
    row("unet", &stages.unet);
    row("cells", &stages.cells);
    row("pipeline", &stages.pipeline);
    let frame_ms = stages.pipeline.total_ms;
    print::line(format_args!("\n{:<12}{:>9}{:>11}{:>11}{:>8}", "of a frame", "median ms", "p95 ms", "max ms", "share"));
    for (name, times) in stages.steps.named() {
        let Timings { median_ms, p95_ms, max_ms, total_ms, .. } = times;
        let share = 100.0 * total_ms / frame_ms.max(f64::MIN_POSITIVE);
        print::line(format_args!("{name:<12}{median_ms:>9.3}{p95_ms:>11.3}{max_ms:>11.3}{share:>6.1} %"));
    }
    print::line("");
    let mib =
        |bytes: Option<usize>| bytes.map_or("unknown".into(), |bytes| format!("{:.1} MiB", bytes as f64 / 1048576.0));
    let stock = match report.stock_nodes.as_slice() {
        [] => "none: everything is integer".to_owned(),
        nodes => format!("{} ({})", nodes.len(), nodes.join(", ")),
    };
    print::line(format_args!("kernel                {}", report.kernel));
    print::line(format_args!("nodes in stock tract  {stock}"));
    print::line(format_args!(
        "convolutions only     ssr {:.3} ms, unet {:.3} ms",
        report.ssr_body_ms, report.unet_body_ms
    ));
    print::line(format_args!("tiles per second      {:.2}", report.tiles_per_s));
    print::line(format_args!("models loaded in      {:.0} ms", report.load_ms));
    print::line(format_args!("peak heap             {}", mib(report.peak_heap_bytes)));
    print::line(format_args!("  between tiles       {}", mib(report.live_heap_bytes)));
    print::line(format_args!("  while loading       {}", mib(report.load_peak_heap_bytes)));
    let kib = |bytes: usize| format!("{:.0} KiB", bytes as f64 / 1024.0);
    print::line(format_args!("arena of both models  {}", kib(report.arena_bytes)));
    print::line(format_args!("packed weights        {}", kib(report.weight_bytes)));
    let rss = report.peak_rss_kib.map_or("unknown".into(), |kib| format!("{:.1} MiB", kib as f64 / 1024.0));
    print::line(format_args!("peak resident memory  {rss}"));
    let allocations = report.allocations_per_tile.map_or("unknown".into(), |count| format!("{count:.0}"));
    print::line(format_args!("allocations per tile  {allocations}"));
}
