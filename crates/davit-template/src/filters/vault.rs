//! The filters `vault` and `unvault`.
//!
//! They take their secret as an argument; the secrets of the run are not theirs to use.

use davit_value::{Mark, Str, Value, ValueError};
use davit_vault::{Secret, Secrets};

use crate::Call;

type Answer = Result<Value, ValueError>;

fn class(value: &Value) -> String {
    format!("<class '{}'>", value.type_name())
}

pub(super) fn vault(call: &Call<'_>) -> Answer {
    let bound = call.bind(
        "do_vault",
        &["data", "secret", "salt", "vault_id", "wrap_object", "vaultid"],
        2,
    )?;
    let (data, secret) = (bound.value(0), bound.value(1));
    let Some(password) = secret.as_str() else {
        return Err(ValueError::Type(format!(
            "Secret passed is required to be a string, instead we got {}.",
            class(&secret)
        )));
    };
    let Some(text) = data.as_str() else {
        return Err(ValueError::Type(format!(
            "Can only vault strings, instead we got {}.",
            class(&data)
        )));
    };
    let id = bound
        .some(5)
        .or_else(|| bound.some(3))
        .map_or_else(|| "filter_default".to_owned(), Value::to_str);
    let secret = Secret::new(password);
    let made = match bound.some(2).map(Value::to_str).filter(|salt| !salt.is_empty()) {
        Some(salt) => {
            davit_vault::encrypt_with_salt(text.as_bytes(), &secret, Some(&id), salt.as_bytes())
        }
        None => davit_vault::encrypt(text.as_bytes(), &secret, Some(&id))
            .map_err(|error| ValueError::Value(format!("Unable to encrypt: {error}")))?,
    };
    Ok(if bound.truth(4, false)? {
        Value::Str(Str::marked(made, Mark { origin: None, trusted: false, vault: true }))
    } else {
        made.into()
    })
}

pub(super) fn unvault(call: &Call<'_>) -> Answer {
    // The text may be an encrypted variable, whose ciphertext is wanted and not its meaning.
    let mut call = call.clone();
    if let Some(Value::Str(text)) = call.args.positional.first_mut()
        && text.is_vault()
    {
        *text = text.unmarked();
    }
    let bound = call.bind("do_unvault", &["vault", "secret", "vault_id", "vaultid"], 2)?;
    let (data, secret) = (bound.value(0), bound.value(1));
    let Some(password) = secret.as_str() else {
        return Err(ValueError::Type(format!(
            "Secret passed is required to be as string, instead we got {}.",
            class(&secret)
        )));
    };
    let Some(text) = data.as_str() else {
        return Err(ValueError::Type(format!(
            "Vault should be in the form of a string, instead we got {}.",
            class(&data)
        )));
    };
    if !davit_vault::is_vault(text) {
        return Ok(data);
    }
    let id = bound
        .some(3)
        .or_else(|| bound.some(2))
        .map_or_else(|| "filter_default".to_owned(), Value::to_str);
    let mut secrets = Secrets::default();
    secrets.add(id, Secret::new(password));
    let plain = davit_vault::decrypt(text, &secrets)
        .map_err(|error| ValueError::Value(format!("Unable to decrypt: {error}")))?;
    let plain = String::from_utf8_lossy(&plain).into_owned();
    call.env.outside.secret(&plain);
    Ok(plain.into())
}
