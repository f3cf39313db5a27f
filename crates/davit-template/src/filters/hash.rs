//! Digests, UUIDs and password hashes.
//!
//! `password_hash` knows `sha512_crypt`, `sha256_crypt`, `bcrypt` and `md5_crypt`, with passlib's
//! default numbers of rounds; the other schemes of passlib are not here.

use base64::Engine as _;
use blake2::{Blake2b512, Blake2s256};
use davit_value::{Value, ValueError};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

use super::random::Twister;
use crate::Call;

type Answer = Result<Value, ValueError>;

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The digest of `bytes` by the name of the algorithm, as Python's `hashlib.new` has it.
#[must_use]
pub fn digest(name: &str, bytes: &[u8]) -> Option<String> {
    Some(match name.to_ascii_lowercase().as_str() {
        "md5" => hex(&Md5::digest(bytes)),
        "sha1" => hex(&Sha1::digest(bytes)),
        "sha224" => hex(&Sha224::digest(bytes)),
        "sha256" => hex(&Sha256::digest(bytes)),
        "sha384" => hex(&Sha384::digest(bytes)),
        "sha512" => hex(&Sha512::digest(bytes)),
        "sha3_224" => hex(&Sha3_224::digest(bytes)),
        "sha3_256" => hex(&Sha3_256::digest(bytes)),
        "sha3_384" => hex(&Sha3_384::digest(bytes)),
        "sha3_512" => hex(&Sha3_512::digest(bytes)),
        "blake2b" => hex(&Blake2b512::digest(bytes)),
        "blake2s" => hex(&Blake2s256::digest(bytes)),
        _ => return None,
    })
}

pub(super) fn hash(call: &Call<'_>) -> Answer {
    let bound = call.bind("get_hash", &["data", "hashtype"], 1)?;
    let name = bound.text_or(1, "sha1");
    digest(&name, bound.text(0).as_bytes())
        .map(Value::from)
        .ok_or_else(|| ValueError::Value(format!("unsupported hash type {name}")))
}

pub(super) fn sha1(call: &Call<'_>) -> Answer {
    let bound = call.bind("secure_hash_s", &["data", "hash_func"], 1)?;
    if let Some(function) = bound.get(1) {
        return Err(ValueError::Type(format!("'{}' object is not callable", function.type_name())));
    }
    Ok(hex(&Sha1::digest(bound.text(0).as_bytes())).into())
}

pub(super) fn md5(call: &Call<'_>) -> Answer {
    Ok(hex(&Md5::digest(call.bind("md5s", &["data"], 1)?.text(0).as_bytes())).into())
}

pub(super) fn crc32(call: &Call<'_>) -> Answer {
    let bound = call.bind("crc32s", &["value"], 1)?;
    let value = bound.value(0);
    let Some(text) = value.as_str() else {
        return Err(ValueError::Value(format!(
            "You must pass a string value to crc32, not {}",
            value.type_name()
        )));
    };
    let mut sum = u32::MAX;
    for byte in text.bytes() {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    Ok(format!("{:x}", !sum).into())
}

/// The namespace in which `to_uuid` makes its UUIDs.
const NAMESPACE: &str = "361E6D51-FAEC-444A-9079-341386DA8E2E";

pub(super) fn to_uuid(call: &Call<'_>) -> Answer {
    let bound = call.bind("to_uuid", &["string", "namespace"], 1)?;
    let name = bound.text_or(1, NAMESPACE);
    let bare = name.replace("urn:", "").replace("uuid:", "").replace(['{', '}', '-'], "");
    let namespace = uuid::Uuid::try_parse(&bare).map_err(|_| {
        ValueError::Value(format!(
            "Invalid value '{name}' for 'namespace': badly formed hexadecimal UUID string"
        ))
    })?;
    Ok(uuid::Uuid::new_v5(&namespace, bound.text(0).as_bytes()).to_string().into())
}

/// crypt's own base 64: little-endian groups of 24 bits.
const CRYPT: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BCRYPT: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn crypt64(digest: &[u8], groups: &[[usize; 3]], tail: &[usize]) -> String {
    let mut out = String::new();
    let mut put = |mut bits: u32, count: usize| {
        for _ in 0..count {
            out.push(char::from(CRYPT[(bits & 63) as usize]));
            bits >>= 6;
        }
    };
    let byte = |at: usize| u32::from(digest[at]);
    for [a, b, c] in groups {
        put(byte(*a) << 16 | byte(*b) << 8 | byte(*c), 4);
    }
    match tail {
        [one] => put(byte(*one), 2),
        [two, one] => put(byte(*two) << 8 | byte(*one), 3),
        _ => {}
    }
    out
}

fn md5_crypt(password: &[u8], salt: &[u8]) -> String {
    let inner =
        Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut hasher = Md5::new().chain_update(password).chain_update(b"$1$").chain_update(salt);
    for at in 0..password.len() {
        hasher.update([inner[at % 16]]);
    }
    let mut length = password.len();
    while length > 0 {
        hasher.update([if length & 1 == 1 { 0 } else { password[0] }]);
        length >>= 1;
    }
    let mut digest = hasher.finalize();
    for round in 0..1000 {
        let mut hasher = Md5::new();
        if round & 1 == 1 {
            hasher.update(password);
        } else {
            hasher.update(digest);
        }
        if round % 3 != 0 {
            hasher.update(salt);
        }
        if round % 7 != 0 {
            hasher.update(password);
        }
        if round & 1 == 1 {
            hasher.update(digest);
        } else {
            hasher.update(password);
        }
        digest = hasher.finalize();
    }
    crypt64(&digest, &[[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]], &[11])
}

/// A scheme of `password_hash`, with passlib's limits.
struct Scheme {
    /// passlib's name.
    name: &'static str,
    /// What stands between the first dollar signs.
    ident: &'static str,
    salt: (usize, usize),
    rounds: (i128, i128, i128),
}

const SCHEMES: [Scheme; 4] = [
    Scheme { name: "md5_crypt", ident: "1", salt: (0, 8), rounds: (0, 0, 0) },
    Scheme { name: "bcrypt", ident: "2b", salt: (22, 22), rounds: (4, 12, 31) },
    Scheme {
        name: "sha256_crypt",
        ident: "5",
        salt: (0, 16),
        rounds: (1000, 535_000, 999_999_999),
    },
    Scheme {
        name: "sha512_crypt",
        ident: "6",
        salt: (0, 16),
        rounds: (1000, 656_000, 999_999_999),
    },
];

/// How a password is to be hashed.
#[derive(Clone, Debug, Default)]
pub struct PasswordOptions {
    /// The salt; a random one where there is none.
    pub salt: Option<String>,
    /// The length of a random salt.
    pub salt_size: Option<i128>,
    /// The number (for bcrypt: the power of two) of rounds.
    pub rounds: Option<i128>,
    /// bcrypt's variant.
    pub ident: Option<String>,
}

/// A random salt of the right length for the scheme, as text.
#[must_use]
pub fn random_salt(scheme: &str) -> String {
    let length = SCHEMES.iter().find(|it| it.name == scheme).map_or(8, |it| it.salt.1);
    let mut twister = Twister::unforeseen();
    (0..length).map(|_| char::from(CRYPT[twister.index(64)])).collect()
}

/// Hashes a password by passlib's name of the scheme.
///
/// # Errors
/// For a scheme that is not known, and salts and rounds that it does not take.
pub fn hash_password(
    password: &str,
    scheme: &str,
    options: &PasswordOptions,
) -> Result<String, ValueError> {
    let Some(found) = SCHEMES.iter().find(|it| it.name == scheme) else {
        return Err(ValueError::Value(format!(
            "Installed passlib version 1.7.4 does not support the '{scheme}' algorithm."
        )));
    };
    let refuse = |why: String| ValueError::Value(format!("Could not hash the secret: {why}"));
    let (least, most) = found.salt;
    if let Some(size) = options.salt_size {
        if least == most && size != least as i128 {
            return Err(refuse(format!("{scheme}: salt_size ({size}) must be exactly {least}")));
        }
        if size > most as i128 {
            return Err(refuse(format!(
                "{scheme}: salt_size ({size}) above max_salt_size ({most})"
            )));
        }
    }
    let salt = match options.salt.as_deref().filter(|salt| !salt.is_empty()) {
        Some(salt) => salt.to_owned(),
        None => {
            let mut salt = random_salt(scheme);
            salt.truncate(
                options.salt_size.and_then(|size| usize::try_from(size).ok()).unwrap_or(most),
            );
            salt
        }
    };
    if salt.bytes().any(|byte| !CRYPT.contains(&byte)) {
        return Err(refuse(format!("invalid characters in {scheme} salt")));
    }
    let wanted = if least == most { format!("exactly {most}") } else { format!("<= {most}") };
    if salt.len() > most {
        return Err(refuse(format!("salt too large ({scheme} requires {wanted} chars)")));
    }
    if salt.len() < least {
        return Err(refuse(format!("salt too small ({scheme} requires {wanted} chars)")));
    }
    let (low, usual, high) = found.rounds;
    let rounds = options.rounds.unwrap_or(usual);
    if high > 0 && rounds < low {
        return Err(refuse(format!(
            "{scheme}: min_desired_rounds ({rounds}) is too low, must be at least {low}"
        )));
    }
    if high > 0 && rounds > high {
        return Err(refuse(format!(
            "{scheme}: max_desired_rounds ({rounds}) is too high, must be at most {high}"
        )));
    }
    let count = u32::try_from(rounds).unwrap_or(0);
    let prefix = match (found.ident, rounds) {
        ("1", _) => "$1$".to_owned(),
        (ident, 5000) => format!("${ident}$"),
        (ident, rounds) => format!("${ident}$rounds={rounds}$"),
    };
    let bytes = password.as_bytes();
    Ok(match found.name {
        "md5_crypt" => format!("{prefix}{salt}${}", md5_crypt(bytes, salt.as_bytes())),
        "bcrypt" => bcrypt_text(bytes, &salt, count, options.ident.as_deref().unwrap_or("2b"))
            .map_err(refuse)?,
        "sha256_crypt" => {
            let params = sha_crypt::Params::new(count)
                .map_err(|_| refuse(format!("{scheme}: rounds ({count}) are out of range")))?;
            format!(
                "{prefix}{salt}${}",
                sha256_text(&sha_crypt::sha256_crypt(bytes, salt.as_bytes(), params))
            )
        }
        _ => {
            let params = sha_crypt::Params::new(count)
                .map_err(|_| refuse(format!("{scheme}: rounds ({count}) are out of range")))?;
            format!(
                "{prefix}{salt}${}",
                sha512_text(&sha_crypt::sha512_crypt(bytes, salt.as_bytes(), params))
            )
        }
    })
}

fn sha256_text(digest: &[u8]) -> String {
    let groups: [[usize; 3]; 10] = [
        [0, 10, 20],
        [21, 1, 11],
        [12, 22, 2],
        [3, 13, 23],
        [24, 4, 14],
        [15, 25, 5],
        [6, 16, 26],
        [27, 7, 17],
        [18, 28, 8],
        [9, 19, 29],
    ];
    crypt64(digest, &groups, &[31, 30])
}

fn sha512_text(digest: &[u8]) -> String {
    let groups: Vec<[usize; 3]> = (0..21)
        .map(|at| match at % 3 {
            0 => [at, at + 21, at + 42],
            1 => [at + 21, at + 42, at],
            _ => [at + 42, at, at + 21],
        })
        .collect();
    crypt64(digest, &groups, &[63])
}

fn bcrypt_text(password: &[u8], salt: &str, cost: u32, ident: &str) -> Result<String, String> {
    let version = match ident {
        "2a" => bcrypt::Version::TwoA,
        "2b" => bcrypt::Version::TwoB,
        "2y" => bcrypt::Version::TwoY,
        "2x" => bcrypt::Version::TwoX,
        other => return Err(format!("unknown bcrypt ident: '{other}'")),
    };
    // The last of the 22 characters carries two bits too many: passlib clears them.
    let mut letters = salt.as_bytes().to_vec();
    if let Some(last) = letters.last_mut() {
        let at = BCRYPT.iter().position(|letter| letter == last).unwrap_or(0);
        *last = BCRYPT[at & 0x30];
    }
    let raw = bcrypt::BASE_64
        .decode(&letters)
        .map_err(|_| "invalid characters in bcrypt salt".to_owned())?;
    let raw: [u8; 16] = raw
        .try_into()
        .map_err(|_| "salt too small (bcrypt requires exactly 22 chars)".to_owned())?;
    bcrypt::hash_with_salt(password, cost, raw)
        .map(|parts| parts.format_for_version(version))
        .map_err(|error| error.to_string())
}

pub(super) fn password_hash(call: &Call<'_>) -> Answer {
    let params = &["password", "hashtype", "salt", "salt_size", "rounds", "ident"];
    let bound = call.bind("get_encrypted_password", params, 1)?;
    let kind = bound.text_or(1, "sha512");
    let scheme = match kind.as_str() {
        "md5" => "md5_crypt",
        "blowfish" | "bcrypt" => "bcrypt",
        "sha256" => "sha256_crypt",
        "sha512" => "sha512_crypt",
        known if SCHEMES.iter().any(|it| it.name == known) => known,
        other => {
            return Err(ValueError::Value(format!(
                "{other} is not in the list of supported passlib algorithms: md5, blowfish, sha256, sha512"
            )));
        }
    };
    let password = bound.value(0);
    let Some(password) = password.as_str() else {
        let what = if password.is_null() { "None" } else { password.type_name() };
        return Err(ValueError::Type(format!("secret must be unicode or bytes, not {what}")));
    };
    let number = |at: usize| -> Result<Option<i128>, ValueError> {
        let Some(value) = bound.some(at) else { return Ok(None) };
        let found = match value {
            Value::Str(text) => super::math::parse_int(text, 10),
            other => Some(crate::call::index_of(other)?),
        };
        found.map(Some).ok_or_else(|| {
            ValueError::Value(format!(
                "Could not hash the secret: invalid literal for int() with base 10: {}",
                value.repr()
            ))
        })
    };
    let options = PasswordOptions {
        salt: bound.some(2).map(Value::to_str),
        salt_size: number(3)?,
        rounds: number(4)?,
        ident: bound.some(5).map(Value::to_str),
    };
    hash_password(password, scheme, &options).map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::{PasswordOptions, hash_password};

    #[test]
    fn hashes_as_passlib() {
        let check = |scheme: &str, salt: &str, rounds: Option<i128>, expect: &str| {
            let options =
                PasswordOptions { salt: Some(salt.into()), rounds, ..PasswordOptions::default() };
            assert_eq!(hash_password("Ab", scheme, &options).unwrap(), expect);
        };
        check("md5_crypt", "salt", None, "$1$salt$4gh8q7LkotKv5xybJfpEy/");
        check(
            "sha512_crypt",
            "salt",
            Some(1000),
            "$6$rounds=1000$salt$lywZqd6K4n8A4pxIeqlYHW.bAOwC8Y0SJY0HBM0O40LfymygSlxOJjmIVPYk7qzHac.VeysVjVH1UwiszLiFn/",
        );
        check(
            "sha256_crypt",
            "salt",
            None,
            "$5$rounds=535000$salt$eRv3BGbzJyY5tEsuwQE2c1YOsT3dO5xZ93FsMCTWWG.",
        );
        let options = PasswordOptions {
            salt: Some("1234567890123456789012".into()),
            rounds: Some(6),
            ident: Some("2a".into()),
            salt_size: None,
        };
        assert_eq!(
            hash_password("Ab", "bcrypt", &options).unwrap(),
            "$2a$06$123456789012345678901ueBdAEs8m34aE3QQrCjoFplmsDrL/g2K"
        );
    }
}
