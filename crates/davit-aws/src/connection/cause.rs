//! Why a connection did not come to be or broke off, in the words of whoever noticed it first. The
//! layers above only say that something below them went wrong.

use std::{error::Error, io};

use rustls::CertificateError;

/// The innermost cause of an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Cause(String);

impl Cause {
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let innermost = Causes(Some(error)).last().unwrap_or(error);
        Self(innermost.to_string())
    }
}

/// An error and what is behind it, one after the other.
struct Causes<'a>(Option<&'a (dyn Error + 'static)>);

impl<'a> Iterator for Causes<'a> {
    type Item = &'a (dyn Error + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let error = self.0?;
        // What an `io::Error` holds is not its source, whose source is.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        self.0 = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
        Some(error)
    }
}

/// Whether it took too long.
pub(super) fn timed_out(error: &(dyn Error + 'static)) -> bool {
    let mut all = Causes(Some(error));
    all.any(|it| {
        it.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::TimedOut)
    })
}

/// What is wrong with the certificate that was shown, if that is why.
pub(super) fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut all = Causes(Some(error));
    let found = all.find_map(|it| it.downcast_ref::<rustls::Error>())?;
    let rustls::Error::InvalidCertificate(reason) = found else { return None };
    Some(match reason {
        // The second is what comes of one that is signed by itself and may sign others.
        CertificateError::UnknownIssuer | CertificateError::Other(_) => {
            "nobody who is trusted here has signed it (ca_bundle or AWS_CA_BUNDLE names a file \
             with the certificates to trust)"
                .to_owned()
        }
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_cause_is_told() {
        let inner = io::Error::other(io::Error::new(io::ErrorKind::TimedOut, "too slow"));
        let outer = io::Error::other(crate::error::Error::File { path: "f".into(), source: inner });
        assert_eq!(Cause::of(&outer).to_string(), "too slow");
        assert!(timed_out(&outer));
        assert_eq!(distrust(&outer), None);
        let wrong = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let text = distrust(&io::Error::other(wrong)).expect("a certificate");
        assert!(text.contains("AWS_CA_BUNDLE"), "{text}");
    }
}
