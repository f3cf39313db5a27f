//! Ansible Vault texts: recognise, encrypt, decrypt, rekey; vault ids and where passwords come from.
//!
//! ```text
//! $ANSIBLE_VAULT;1.2;AES256;dev        format, version, cipher, vault id (1.2 only)
//! 6563643530...                        hex of "hex(salt)\nhex(mac)\nhex(ciphertext)", 80 a line
//! ```
//!
//! Texts go both ways between davit and `ansible-vault`.
//!
//! ```
//! use davit_vault::{Secret, Secrets, decrypt, encrypt, is_vault};
//!
//! let secret = Secret::new("open sesame");
//! let text = encrypt(b"hello", &secret, Some("dev"))?;
//! assert!(is_vault(&text));
//! let secrets = Secrets::from_iter([("dev", secret)]);
//! assert_eq!(decrypt(&text, &secrets)?, b"hello");
//! # Ok::<(), davit_vault::Error>(())
//! ```
//!
//! **Invariant:** knows no YAML and no settings; asks nobody for a password. The one file it reads
//! is a password file that it is handed: see [`load_password`].

mod cipher;
mod envelope;
mod secret;
mod source;

pub use crate::envelope::{Header, encrypt_string_block};
pub use crate::secret::{Secret, Secrets};
pub use crate::source::{IdSpec, Source, SourceError, load_password};

use crate::cipher::Keys;

/// The vault id of a secret that was given without one.
pub const DEFAULT_ID: &str = "default";

/// Why a vault text cannot be read or written; worded as the original words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not start with the header.
    #[error("Input is not vault encrypted data.")]
    NotVault,
    /// It starts with the header already.
    #[error("input is already encrypted")]
    AlreadyVault,
    /// Fewer fields in the header than a vault has, or a version that is not known.
    #[error("Vault envelope format error: {0}")]
    Envelope(String),
    /// Only AES256 is known.
    #[error("Cipher '{0}' could not be found.")]
    Cipher(String),
    /// The body is not hexadecimal.
    #[error("Vault format unhexlify error: {0}")]
    Hex(&'static str),
    /// The body has not its three parts.
    #[error("Vault vaulttext format error: {0}")]
    Body(String),
    /// There is no secret to try.
    #[error("Attempting to decrypt but no vault secrets found.")]
    NoSecrets,
    /// No secret fits.
    #[error("Decryption failed (no vault secrets were found that could decrypt).")]
    NoMatch,
    /// The secret fits, and yet the padding is wrong.
    #[error("Invalid padding bytes.")]
    Padding,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// No secret has the id that is to encrypt.
    #[error("Did not find a match for --encrypt-vault-id={id} in the known vault-ids [{known}]", known = quoted(.known))]
    NoEncryptId {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Several secrets could encrypt, and none is named.
    #[error("The vault-ids {} are available to encrypt. Specify the vault-id to encrypt with --encrypt-vault-id", .0.join(","))]
    AmbiguousEncryptId(Vec<String>),
}

fn quoted(ids: &[String]) -> String {
    ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ")
}

/// True where `text` starts as a vault does.
#[must_use]
pub fn is_vault(text: &str) -> bool {
    is_vault_bytes(text.as_bytes())
}

/// True where the content of a file starts as a vault does.
#[must_use]
pub fn is_vault_bytes(content: &[u8]) -> bool {
    content.starts_with(b"$ANSIBLE_VAULT")
}

/// Encrypts `plain`: version 1.2 where `id` is one, 1.1 without an id or with `default`.
///
/// # Errors
/// Where the system gives no random salt.
pub fn encrypt(plain: &[u8], secret: &Secret, id: Option<&str>) -> Result<String, Error> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|_| Error::Random)?;
    Ok(encrypt_with_salt(plain, secret, id, &salt))
}

/// Encrypts with a given salt, for texts that must come out the same each time.
#[must_use]
pub fn encrypt_with_salt(plain: &[u8], secret: &Secret, id: Option<&str>, salt: &[u8]) -> String {
    let keys = Keys::derive(secret.bytes(), salt);
    let ciphertext = keys.encrypt(plain);
    let mac = keys.mac(&ciphertext);
    envelope::write(id, &envelope::Body { salt: salt.to_vec(), mac, ciphertext })
}

/// Decrypts a vault text: tries the secrets of its own id first, then all others, unless
/// [`Secrets::match_only`] is set.
///
/// # Errors
/// Where the text is no vault or a broken one, and where no secret fits.
pub fn decrypt(text: &str, secrets: &Secrets) -> Result<Vec<u8>, Error> {
    decrypt_with(text, secrets).map(|(plain, _)| plain)
}

/// As [`decrypt`], and says which vault id fitted.
///
/// # Errors
/// As [`decrypt`].
pub fn decrypt_with<'a>(text: &str, secrets: &'a Secrets) -> Result<(Vec<u8>, &'a str), Error> {
    let header = Header::parse(text)?;
    if header.cipher != "AES256" {
        return Err(Error::Cipher(header.cipher));
    }
    if secrets.is_empty() {
        return Err(Error::NoSecrets);
    }
    let body = envelope::read(text)?;
    for (id, secret) in secrets.in_order(header.id.as_deref()) {
        let keys = secrets.keys(secret, &body.salt);
        if keys.fits(&body.ciphertext, &body.mac) {
            return keys.decrypt(&body.ciphertext).map(|plain| (plain, id));
        }
    }
    Err(Error::NoMatch)
}

/// Encrypts what `text` holds with another secret.
///
/// # Errors
/// As [`decrypt`] and [`encrypt`].
pub fn rekey(text: &str, old: &Secrets, new: &Secret, id: Option<&str>) -> Result<String, Error> {
    encrypt(&decrypt(text, old)?, new, id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BY_THE_ORIGINAL: &str = "$ANSIBLE_VAULT;1.2;AES256;dev
65636435303637323030343930326635383535373234613233363937323461633234323162626235
3631616432656565376531343066626439663362646635640a393630636435666637626562656466
31663365656531333439643663346632666564303131353834376438393736396230656631363666
3763303431396564620a323263633333316538373336626433386639333737376337386235383536
6239
";

    fn secrets(list: &[(&str, &str)]) -> Secrets {
        list.iter().map(|(id, secret)| (*id, Secret::new(secret))).collect()
    }

    #[test]
    fn a_text_of_the_original_is_read() {
        let plain = decrypt(BY_THE_ORIGINAL, &secrets(&[("dev", "secret1")]));
        assert_eq!(plain.as_deref(), Ok(b"hello: world\n".as_slice()));
    }

    #[test]
    fn every_secret_is_tried_unless_ids_must_match() {
        let mut known = secrets(&[("a", "wrong"), ("x", "secret1")]);
        assert_eq!(decrypt_with(BY_THE_ORIGINAL, &known).map(|(_, id)| id), Ok("x"));
        known.match_only(true);
        assert_eq!(decrypt(BY_THE_ORIGINAL, &known), Err(Error::NoMatch));
        assert_eq!(decrypt(BY_THE_ORIGINAL, &Secrets::default()), Err(Error::NoSecrets));
    }

    #[test]
    fn a_changed_text_is_refused() {
        let broken = BY_THE_ORIGINAL.replace("6239\n", "6238\n");
        assert_eq!(decrypt(&broken, &secrets(&[("dev", "secret1")])), Err(Error::NoMatch));
    }

    #[test]
    fn broken_texts_say_what_the_original_says() {
        let known = secrets(&[("dev", "secret1")]);
        let says = |text: &str| decrypt(text, &known).unwrap_err().to_string();
        assert_eq!(says("nope"), "Input is not vault encrypted data.");
        assert_eq!(says("$ANSIBLE_VAULT;1.1;AES\n61"), "Cipher 'AES' could not be found.");
        assert_eq!(
            says("$ANSIBLE_VAULT;1.1;AES256\nzzzz\n"),
            "Vault format unhexlify error: Non-hexadecimal digit found"
        );
        assert_eq!(
            says("$ANSIBLE_VAULT;1.3;AES256;x\n616\n"),
            "Vault format unhexlify error: Odd-length string"
        );
        assert_eq!(
            says("$ANSIBLE_VAULT;1.1;AES256\n6162\n"),
            "Vault vaulttext format error: not enough values to unpack (expected 3, got 1)"
        );
        assert_eq!(
            says("$ANSIBLE_VAULT;1.1\n6162\n"),
            "Vault envelope format error: list index out of range"
        );
    }

    #[test]
    fn rekeying_changes_secret_and_id() {
        let new = Secret::new("other");
        let text =
            rekey(BY_THE_ORIGINAL, &secrets(&[("dev", "secret1")]), &new, Some("default")).unwrap();
        assert!(text.starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
        assert_eq!(decrypt(&text, &secrets(&[("", "other")])).unwrap(), b"hello: world\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn what_goes_in_comes_out(plain in proptest::collection::vec(any::<u8>(), 0..100)) {
            let secret = Secret::new("s");
            let text = encrypt(&plain, &secret, None).unwrap();
            prop_assert!(text.lines().all(|line| line.len() <= 80));
            prop_assert_eq!(decrypt(&text, &secrets(&[("d", "s")])).unwrap(), plain);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(
            head in "(\\$ANSIBLE_VAULT(;[0-9.]{0,3}){0,2};?(AES256)?(;[a-z]*)?\n)?",
            body in "([0-9a-f]{0,8}|30\n|0a|é|;|\r\n){0,40}",
        ) {
            let known = secrets(&[("dev", "secret1")]);
            let _ = decrypt(&format!("{head}{body}"), &known);
        }
    }
}
