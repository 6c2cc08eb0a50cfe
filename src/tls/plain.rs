//! Who is called by TLS and speaks something else, or in it.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, InvalidMessage};

/// What to say of [`is_no_tls`].
pub const NO_TLS: &str = "the other side does not speak TLS (http:// meant?)";

/// What to say of [`is_no_protocol`].
pub const NO_PROTOCOL: &str = "the other side speaks none of the protocols that it was offered";

/// Whether a handshake failed with `error`, or with one behind it, because what came back is no TLS at all.
pub fn is_no_tls(error: &(dyn Error + 'static)) -> bool {
    let strange = rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
    is_behind(error, &strange)
}

/// The same because the other side chose nothing of what it was offered to speak (RFC 7301 section 3.2).
pub fn is_no_protocol(error: &(dyn Error + 'static)) -> bool {
    let alert = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    is_behind(error, &alert)
}

fn is_behind(error: &(dyn Error + 'static), sought: &rustls::Error) -> bool {
    if error.downcast_ref() == Some(sought) {
        return true;
    }
    // An error of I/O does not name the one within it as its source.
    let of_io = error.downcast_ref::<io::Error>();
    let within = of_io.and_then(io::Error::get_ref);
    within.is_some_and(|within| is_behind(within, sought))
        || error
            .source()
            .is_some_and(|source| is_behind(source, sought))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_tls_are_told_from_what_is_wrong_with_a_certificate() {
        let no_tls = || rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType);
        let rows: [(Box<dyn Error>, bool); 5] = [
            (Box::new(no_tls()), true),
            (Box::new(io::Error::other(no_tls())), true),
            (Box::new(io::Error::other(io::Error::other(no_tls()))), true),
            (
                Box::new(io::Error::other(rustls::Error::NoCertificatesPresented)),
                false,
            ),
            (Box::new(io::Error::other("another")), false),
        ];
        for (error, expected) in rows {
            assert_eq!(is_no_tls(&*error), expected, "{error:?}");
        }
    }
}
