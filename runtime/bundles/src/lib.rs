//! Deployed models: signed bundles ([`bundle`]), the two slots that they are installed into ([`slots`]), and the trial
//! run that confirms new models ([`tried`]).

pub mod bundle;
pub mod error;
pub mod limits;
pub mod slots;
pub mod tried;
