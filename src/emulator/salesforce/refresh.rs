//! The refresh token grant, with and without rotation (Salesforce Help, "OAuth 2.0 Refresh Token Flow
//! for Renewed Sessions").

use super::login::Refusal;
use super::{Form, Site, User, World, user};

/// What a refresh token was good for.
pub(super) struct Refreshed {
    pub(super) user: User,
    pub(super) family: u64,
    /// With rotation: the token that follows.
    pub(super) successor: Option<String>,
}

/// The token of the request, taken until this is dropped.
pub(super) struct Taken<'a>(&'a World, String);

/// Takes the token; one that another request has taken is refused, and nothing happens to it.
pub(super) fn take<'a>(world: &'a World, form: &Form) -> Result<Taken<'a>, Refusal> {
    let token = form.get("refresh_token").unwrap_or_default().to_owned();
    if !world.books(|books| books.refresh.take(&token)) {
        return Err(BUSY);
    }
    Ok(Taken(world, token))
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.books(|books| books.refresh.release(&self.1));
    }
}

impl Taken<'_> {
    /// A token that was rotated out takes the current one and its sessions with it.
    pub(super) fn redeem(&self, site: Site) -> Result<Refreshed, Refusal> {
        let Self(world, token) = self;
        let rotates = world.knobs.turn(|dials| dials.login.rotation);
        let now = world.now();
        world.books(|books| {
            // My Domain knows what the generic host gave out, but not the reverse.
            let known = books.refresh.get(token).cloned();
            let known = known.filter(|known| known.login == site || site == Site::Login);
            let known = known.filter(|known| Site::LOGIN_HOSTS.contains(&known.login));
            let known = known.ok_or(DEAD)?;
            if known.spent.is_some() {
                books.counters.spent_refresh_tokens += 1;
                books.end_family(known.family);
                return Err(DEAD);
            }
            let successor = rotates.then(|| books.refresh.succeed(token, now)).flatten();
            Ok(Refreshed {
                user: user(&known.user),
                family: known.family,
                successor,
            })
        })
    }
}

const BUSY: Refusal = ("invalid_grant", "token request is already being processed");
const DEAD: Refusal = ("invalid_grant", "expired access/refresh token");
