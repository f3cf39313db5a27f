//! AES256 as vaults use it: PBKDF2-HMAC-SHA256, AES-256-CTR, HMAC-SHA256 over the ciphertext.
//!
//! Knows no text form.

use aes::Aes256;
use aes::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Error;

const ROUNDS: u32 = 10_000;
const BLOCK: usize = 16;

type Stream = ctr::Ctr128BE<Aes256>;

/// The keys that one secret and one salt give.
#[derive(Clone)]
pub(crate) struct Keys {
    cipher: [u8; 32],
    mac: [u8; 32],
    counter: [u8; 16],
}

impl Keys {
    /// Takes milliseconds, on purpose.
    pub(crate) fn derive(secret: &[u8], salt: &[u8]) -> Self {
        let mut keys = Self { cipher: [0; 32], mac: [0; 32], counter: [0; 16] };
        let mut all = [0; 80];
        pbkdf2::pbkdf2_hmac::<Sha256>(secret, salt, ROUNDS, &mut all);
        keys.cipher.copy_from_slice(&all[..32]);
        keys.mac.copy_from_slice(&all[32..64]);
        keys.counter.copy_from_slice(&all[64..]);
        keys
    }

    pub(crate) fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let fill = BLOCK - plain.len() % BLOCK;
        let mut bytes = plain.to_vec();
        bytes.resize(plain.len() + fill, fill as u8);
        self.stream().apply_keystream(&mut bytes);
        bytes
    }

    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut bytes = ciphertext.to_vec();
        self.stream().apply_keystream(&mut bytes);
        let fill = usize::from(*bytes.last().ok_or(Error::Padding)?);
        let end = bytes.len().checked_sub(fill).ok_or(Error::Padding)?;
        let padding = &bytes[end..];
        if fill == 0 || fill > BLOCK || padding.iter().any(|byte| usize::from(*byte) != fill) {
            return Err(Error::Padding);
        }
        bytes.truncate(end);
        Ok(bytes)
    }

    pub(crate) fn mac(&self, ciphertext: &[u8]) -> Vec<u8> {
        self.authenticator(ciphertext).finalize().into_bytes().to_vec()
    }

    /// True where `mac` is the ciphertext's; takes the same time whatever differs.
    pub(crate) fn fits(&self, ciphertext: &[u8], mac: &[u8]) -> bool {
        self.authenticator(ciphertext).verify_slice(mac).is_ok()
    }

    fn authenticator(&self, ciphertext: &[u8]) -> Hmac<Sha256> {
        let mut hmac =
            Hmac::<Sha256>::new_from_slice(&self.mac).expect("an HMAC takes a key of any length");
        hmac.update(ciphertext);
        hmac
    }

    fn stream(&self) -> Stream {
        Stream::new(&self.cipher.into(), &self.counter.into())
    }
}
