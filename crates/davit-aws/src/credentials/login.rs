//! Sessions of `aws login`: the credentials that it left, refreshed with a proof that the session's
//! key is here (RFC 9449).

use std::path::PathBuf;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::{SignedDuration, Timestamp};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value as Json, json};

use super::{
    Credentials, cache,
    chain::Setup,
    error::Problem,
    io::{Call, CallError},
};
use crate::value::{Map, Value};

/// Credentials with less time than this left are refreshed.
const REFRESH_SECONDS: i64 = 5 * 60;

/// The credentials of a session.
pub(super) async fn fetch(setup: &Setup, session: &str) -> Result<Credentials, Problem> {
    let path = file(setup, session);
    let kept = path.as_deref().map(cache::read).transpose()?.flatten();
    let (Some(path), Some(mut kept)) = (path, kept) else {
        return Err(signed_out(session, "was never begun"));
    };
    for name in ["accessToken", "refreshToken", "dpopKey", "clientId"] {
        if kept.get(name).is_none() {
            let reason = format!("has no `{name}`: run `aws login`");
            return Err(Problem::File { path, reason });
        }
    }
    let key = Key::of(text(&kept, "dpopKey").unwrap_or_default()).ok_or_else(|| Problem::File {
        path: path.clone(),
        reason: "its `dpopKey` is no key of the curve P-256: run `aws login`".to_owned(),
    })?;
    let incomplete = || Problem::File {
        path: path.clone(),
        reason: "its `accessToken` is not complete: run `aws login`".to_owned(),
    };
    let current = credentials(&kept, session).ok_or_else(incomplete)?;
    let now = setup.surroundings.now();
    if current.expires.is_some_and(|it| cache::left(it, now) > REFRESH_SECONDS) {
        return Ok(current);
    }
    let fresh = refresh(setup, &kept, &key, session).await?;
    store(&mut kept, &fresh, now)?;
    cache::write(&path, &kept)?;
    credentials(&kept, session).ok_or_else(incomplete)
}

fn file(setup: &Setup, session: &str) -> Option<PathBuf> {
    let surroundings = &setup.surroundings;
    let home = surroundings.home.as_deref();
    let folder = match surroundings.environment.get("AWS_LOGIN_CACHE_DIRECTORY") {
        Some(folder) => surroundings.environment.path(folder, home),
        None => home?.join(".aws/login/cache"),
    };
    Some(folder.join(format!("{}.json", cache::sha256(session))))
}

fn text<'a>(kept: &'a Json, name: &str) -> Option<&'a str> {
    kept.get(name)?.as_str()
}

fn signed_out(session: &str, reason: &'static str) -> Problem {
    Problem::SignIn { session: session.to_owned(), reason, command: "aws login".to_owned() }
}

fn credentials(kept: &Json, session: &str) -> Option<Credentials> {
    let token = kept.get("accessToken")?;
    let part = |name: &str| text(token, name).map(str::to_owned);
    Some(Credentials {
        access_key_id: part("accessKeyId")?,
        secret_access_key: part("secretAccessKey")?,
        session_token: Some(part("sessionToken")?),
        expires: Some(cache::time(text(token, "expiresAt")?)?),
        account_id: part("accountId"),
        source: format!("login session {session}"),
    })
}

async fn refresh(setup: &Setup, kept: &Json, key: &Key, session: &str) -> Result<Value, Problem> {
    let operation = "CreateOAuth2Token";
    let now = setup.surroundings.now();
    let input = Map::from_iter([
        ("clientId".to_owned(), text(kept, "clientId").unwrap_or_default().into()),
        ("refreshToken".to_owned(), text(kept, "refreshToken").unwrap_or_default().into()),
        ("grantType".to_owned(), "refresh_token".into()),
    ]);
    let sign = |url: &str| ("DPoP".to_owned(), key.proof(url, now));
    let call = Call {
        service: "signin",
        operation,
        parameters: Map::from_iter([("tokenInput".to_owned(), Value::Map(input))]),
        credentials: None,
        region: text(kept, "signInRegion").map(str::to_owned),
        sign_address: Some(&sign),
    };
    let answer = setup.calls.call(call).await.map_err(|error| denied(session, error))?;
    let output = answer.get("tokenOutput").cloned();
    output.ok_or_else(|| Problem::answer(operation, "the answer has no tokenOutput"))
}

fn denied(session: &str, error: CallError) -> Problem {
    let why = error.members.get("error").and_then(Value::as_str).unwrap_or_default();
    match why {
        "TOKEN_EXPIRED" => signed_out(session, "has expired"),
        "USER_CREDENTIALS_CHANGED" => signed_out(session, "was ended by a new password"),
        "INSUFFICIENT_PERMISSIONS" => {
            signed_out(session, "may not get tokens (signin:CreateOAuth2Token is missing)")
        }
        _ => Problem::Call { operation: "CreateOAuth2Token", error: Box::new(error) },
    }
}

fn store(kept: &mut Json, fresh: &Value, now: Timestamp) -> Result<(), Problem> {
    let part = |path: &[&str]| {
        let part = fresh.at(path).and_then(Value::as_str).map(Json::from);
        part.ok_or_else(|| {
            Problem::answer("CreateOAuth2Token", format!("the answer has no {}", path.join(".")))
        })
    };
    let seconds = fresh.get("expiresIn").and_then(Value::as_int).unwrap_or_default();
    let expires = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
    let expires = Timestamp::from_second(expires.as_second()).unwrap_or(expires);
    let token = json!({
        "accessKeyId": part(&["accessToken", "accessKeyId"])?,
        "secretAccessKey": part(&["accessToken", "secretAccessKey"])?,
        "sessionToken": part(&["accessToken", "sessionToken"])?,
        "accountId": kept["accessToken"]["accountId"],
        "expiresAt": crate::time::iso8601(expires),
    });
    kept["refreshToken"] = part(&["refreshToken"])?;
    kept["accessToken"] = token;
    Ok(())
}

/// The key of a session.
struct Key(EcdsaKeyPair);

impl Key {
    /// A key in PEM, in the form of SEC 1 or of PKCS #8.
    fn of(pem: &str) -> Option<Self> {
        let lines = pem.lines().map(str::trim).filter(|it| !it.starts_with("-----"));
        let der = STANDARD.decode(lines.collect::<String>()).ok()?;
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = match sec1(&der) {
            Some((secret, public)) => {
                EcdsaKeyPair::from_private_key_and_public_key(algorithm, secret, public, &random)
            }
            None => EcdsaKeyPair::from_pkcs8(algorithm, &der, &random),
        };
        key.ok().map(Self)
    }

    /// The value of the header `DPoP` for a request of `POST` to an address.
    fn proof(&self, url: &str, now: Timestamp) -> String {
        // 4, then both coordinates.
        let public = self.0.public_key().as_ref();
        let (x, y) = (&public[1..33], &public[33..65]);
        let key = json!({
            "kty": "EC",
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
            "crv": "P-256",
        });
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key });
        let payload = json!({
            "htm": "POST",
            "htu": url,
            "iat": now.as_second(),
            "jti": uuid::Uuid::new_v4().to_string(),
        });
        let part = |it: Json| URL_SAFE_NO_PAD.encode(it.to_string());
        let message = format!("{}.{}", part(header), part(payload));
        let signature = self
            .0
            .sign(&SystemRandom::new(), message.as_bytes())
            .expect("random bytes are to be had");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The secret and the public key of `ECPrivateKey` (RFC 5915).
fn sec1(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (0x30, body, _) = element(der)? else { return None };
    let (0x02, [1], rest) = element(body)? else { return None };
    let (0x04, secret, mut rest) = element(rest)? else { return None };
    while let Some((tag, content, behind)) = element(rest) {
        if tag == 0xa1 {
            let (0x03, bits, _) = element(content)? else { return None };
            return Some((secret, bits.strip_prefix(&[0])?));
        }
        rest = behind;
    }
    None
}

/// A tag, its content, what is behind.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((tag, content, behind))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// A new key in both forms.
    fn keys() -> [String; 2] {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let (_, body, _) = element(pkcs8.as_ref()).unwrap();
        let (_, _, rest) = element(body).unwrap();
        let (_, _, rest) = element(rest).unwrap();
        let (_, sec1, _) = element(rest).unwrap();
        [("EC PRIVATE KEY", sec1), ("PRIVATE KEY", pkcs8.as_ref())].map(|(name, der)| {
            format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", STANDARD.encode(der))
        })
    }

    #[test]
    fn the_proof_is_signed_with_the_key() {
        for pem in keys() {
            let key = Key::of(&pem).unwrap();
            let now = Timestamp::from_second(1_700_000_000).unwrap();
            let proof = key.proof("https://signin.example/v1/token", now);
            let parts: Vec<&str> = proof.split('.').collect();
            let read = |it: &str| -> Json {
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(it).unwrap()).unwrap()
            };
            let (header, payload) = (read(parts[0]), read(parts[1]));
            assert_eq!(payload["htu"], "https://signin.example/v1/token");
            assert_eq!(payload["iat"], 1_700_000_000);
            let mut public = vec![4];
            for name in ["x", "y"] {
                let text = header["jwk"][name].as_str().unwrap();
                public.extend(URL_SAFE_NO_PAD.decode(text).unwrap());
            }
            let message = format!("{}.{}", parts[0], parts[1]);
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
                .verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap())
                .unwrap();
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert!(Key::of("").is_none());
        assert!(Key::of("-----BEGIN EC PRIVATE KEY-----\nAAAA\n").is_none());
        for pem in keys() {
            // The length of the outermost element.
            let wrong = STANDARD.encode([0x30, 0x7f]);
            let cut = pem.lines().nth(1).unwrap();
            assert!(Key::of(&pem.replace(cut, &cut[4..])).is_none());
            assert!(Key::of(&pem.replace(cut, &wrong)).is_none());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_key_is_read_or_refused(der in proptest::collection::vec(0..=255_u8, 0..200), at in 0..150_usize) {
            let _ = Key::of(&STANDARD.encode(&der));
            // A key with one byte changed.
            let [pem, _] = keys();
            let mut broken = STANDARD.decode(pem.lines().nth(1).unwrap()).unwrap();
            if let Some(byte) = broken.get_mut(at) {
                *byte = der.first().copied().unwrap_or_default();
            }
            let _ = Key::of(&STANDARD.encode(&broken));
        }
    }
}
