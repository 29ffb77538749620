//! Models in the field: both in one signed file ([`bundle`]), and the two slots that such files are installed into
//! ([`slots`]), and the run that decides whether new ones stay ([`tried`]).

pub mod bundle;
pub mod error;
pub mod limits;
pub mod slots;
pub mod tried;
