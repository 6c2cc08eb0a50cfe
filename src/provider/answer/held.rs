//! [`Provider::accepts`]: whether a token that another configuration let in may be used under this one as well.

use super::fits;
use crate::message::Allowed;
use crate::provider::{Base, Credential, Provider, TargetName};

impl Provider {
    /// Whether `held`, which `earlier` let in, goes to no host and is of no org that this provider would refuse. What is not
    /// known of it counts against it.
    pub fn accepts(&self, earlier: &Self, held: &Credential) -> bool {
        let mut targets = held.targets();
        targets.all(|(name, base)| self.may_go_to(*name, base)) && self.may_be_of(earlier, held)
    }

    fn may_go_to(&self, name: TargetName, base: &Base) -> bool {
        let mut fields = self.answer.targets.iter();
        match fields.find(|field| field.name == name) {
            Some(field) => match fits(self, field.admit(base.clone())) {
                // What only a pattern lets in is looked up with more care than `earlier` may have asked for.
                Ok(now) => now.allowed == Allowed::Exactly || now.allowed == base.allowed,
                Err(_) => false,
            },
            // The operator names it now.
            None => {
                let mut configured = self.configured.iter();
                configured.any(|(of, own)| *of == name && own.origin == base.origin)
            }
        }
    }

    fn may_be_of(&self, earlier: &Self, held: &Credential) -> bool {
        let Some(wanted) = &self.answer.org else {
            return true;
        };
        let identity = held.told().identity.as_deref();
        let org = identity.and_then(|path| path.strip_prefix("/id/")?.split('/').next());
        // It need not be told where it was checked when the token came.
        earlier.answer.org.as_ref() == Some(wanted)
            || org.is_some_and(|org| org.parse().as_ref() == Ok(wanted))
    }
}
