//! What is particular to each provider, as data: a [`Provider`] is a value of closed enums, and a few
//! pure interpreters read it. There is no trait per provider and there are no function pointers.

pub mod credential;
pub mod failure;

pub use self::credential::{CarrierForm, Credential, Lifetime};
pub use self::failure::{LoginFailure, Refused};
