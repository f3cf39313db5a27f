//! Signatures of the events that a client sends over an event stream. Each one vouches for all
//! before it. Knows no frame: see `event_stream`.

use super::{Signed, Signing, Stamp, hex, sha256};

/// Signs the events of one request, in their order.
#[derive(Debug, Clone)]
pub struct EventSigner {
    previous: String,
}

impl EventSigner {
    /// Follows on the signature of a request whose payload is `Payload::Events`.
    #[must_use]
    pub fn new(request: &Signed) -> Self {
        Self { previous: request.signature.clone() }
    }

    /// The signature of an event.
    ///
    /// It goes into a frame whose headers are `:date` (the time of `signing`, to the millisecond)
    /// and `:chunk-signature` (what is returned), and whose payload is the frame that is signed. A
    /// stream ends with one whose payload is empty.
    pub fn sign(&mut self, frame: &[u8], signing: &Signing<'_>) -> Vec<u8> {
        let stamp = Stamp::new(signing);
        let text = self.string_to_sign(frame, signing, &stamp);
        let signature = stamp.hmac(&text, signing).as_ref().to_vec();
        self.previous = hex(&signature);
        signature
    }

    fn string_to_sign(&self, frame: &[u8], signing: &Signing<'_>, stamp: &Stamp) -> String {
        // The header as the frame has it: the length of its name, the name, the type of a time.
        let mut header = b"\x05:date\x08".to_vec();
        header.extend(signing.scope.time.as_millisecond().to_be_bytes());
        let Stamp { time, scope, .. } = stamp;
        let (header, frame) = (sha256(&header), sha256(frame));
        format!("AWS4-HMAC-SHA256-PAYLOAD\n{time}\n{scope}\n{}\n{header}\n{frame}", self.previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        credentials::Credentials,
        sign::{Keys, Payload, Scope, Settings},
    };

    /// The example that AWS's own libraries are tested with.
    #[test]
    fn an_event_is_signed() {
        let credentials = Credentials {
            access_key_id: "fake access key".to_owned(),
            secret_access_key: "fake secret key".to_owned(),
            session_token: None,
            expires: None,
            account_id: None,
            source: "a test".to_owned(),
        };
        let time = jiff::Timestamp::from_second(123_456_789).expect("a time");
        let signing = Signing {
            credentials: &credentials,
            scope: Scope { region: "us-east-1", service: "testservice", time },
            settings: Settings::standard(Payload::Events),
            keys: &Keys::default(),
        };
        let mut signer = EventSigner { previous: sha256(b"last message sts") };
        assert_eq!(
            signer.string_to_sign(b"test payload", &signing, &Stamp::new(&signing)),
            "AWS4-HMAC-SHA256-PAYLOAD\n\
             19731129T213309Z\n\
             19731129/us-east-1/testservice/aws4_request\n\
             be1f8c7d79ef8e1abc5254a2c70e4da3bfaf4f07328f527444e1fc6ea67273e2\n\
             0c0e3b3bf66b59b976181bd7d401927bbd624107303c713fd1e5f3d3c8dd1b1e\n\
             813ca5285c28ccee5cab8b10ebda9c908fd6d78ed9dc94cc65ea6cb67a7f13ae"
        );
        let first = signer.sign(b"test payload", &signing);
        assert_eq!(signer.previous, hex(&first));
        assert_ne!(signer.sign(b"test payload", &signing), first);
    }
}
