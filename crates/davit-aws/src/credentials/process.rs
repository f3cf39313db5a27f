//! Programs that give credentials: `credential_process`.

use std::process::{Output, Stdio};

use serde_json::Value as Json;
use tokio::process::Command;

use super::{Credentials, cache, chain::Setup, error::Problem};

/// Runs the command and reads what it prints. It gets the variables of the environment and no input.
pub(super) async fn fetch(
    setup: &Setup,
    command: &str,
    account_id: Option<&str>,
) -> Result<Credentials, Problem> {
    let words = words(command);
    let program = match &words {
        Some(Words { words, .. }) if !words.is_empty() => words[0].clone(),
        _ => String::new(),
    };
    let failed = |reason: String| Problem::Process { program: program.clone(), reason };
    let Some(words) = words.filter(|_| !program.is_empty()) else {
        return Err(failed(
            "cannot be run: `credential_process` is empty or a quote is open".to_owned(),
        ));
    };
    let mut process = if words.shell {
        let mut process = Command::new("/bin/sh");
        process.args(["-c", command]);
        process
    } else {
        let mut process = Command::new(&words.words[0]);
        process.args(&words.words[1..]);
        process
    };
    process
        .env_clear()
        .envs(setup.surroundings.environment.iter())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let limit = setup.surroundings.process_timeout;
    let output = tokio::time::timeout(limit, process.output())
        .await
        .map_err(|_| failed(format!("took longer than {} s", limit.as_secs())))?
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    read(&output, account_id).map_err(failed)
}

fn read(output: &Output, account_id: Option<&str>) -> Result<Credentials, String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(500).collect();
        return Err(format!("failed ({}): {said}", output.status));
    }
    // What it printed is not shown: it is secret.
    let printed: Json = serde_json::from_slice(&output.stdout)
        .map_err(|_| "printed something that is no JSON".to_owned())?;
    match printed.get("Version") {
        Some(version) if version.as_i64() == Some(1) => {}
        Some(version) => return Err(format!("printed `Version` {version}: only 1 is known")),
        None => return Err("printed no `Version`".to_owned()),
    }
    let text = |name: &str| printed.get(name).and_then(Json::as_str).map(str::to_owned);
    let needed = |name: &str| text(name).ok_or_else(|| format!("printed no `{name}`"));
    let expires = match text("Expiration") {
        Some(text) => Some(cache::time(&text).ok_or("printed an `Expiration` that is no time")?),
        None => None,
    };
    Ok(Credentials {
        access_key_id: needed("AccessKeyId")?,
        secret_access_key: needed("SecretAccessKey")?,
        session_token: text("SessionToken"),
        expires,
        account_id: text("AccountId").or_else(|| account_id.map(str::to_owned)),
        source: "credential process".to_owned(),
    })
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    words: Vec<String>,
    /// Whether something stands outside of quotes that only a shell understands. botocore starts
    /// every command without a shell, other SDKs start every one with it: a command that means the
    /// same to both is started without.
    shell: bool,
}

/// Takes a command apart as a shell would; nothing if a quote is open.
fn words(command: &str) -> Option<Words> {
    let mut found = Words::default();
    let mut word: Option<String> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => match letters.next()? {
                            letter @ ('"' | '\\') => word.push(letter),
                            letter => word.extend(['\\', letter]),
                        },
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            ' ' | '\t' | '\r' | '\n' => found.words.extend(word.take()),
            letter => {
                found.shell |= "|&;<>".contains(letter);
                word.get_or_insert_default().push(letter);
            }
        }
    }
    found.words.extend(word);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_apart() {
        for (command, expected, shell) in [
            ("a b  c", &["a", "b", "c"][..], false),
            (r#""a b" 'c "d' e\ f"#, &["a b", r#"c "d"#, "e f"], false),
            (r#""a\"b\n" ''"#, &[r#"a"b\n"#, ""], false),
            ("a | b", &["a", "|", "b"], true),
            ("a '|' $B", &["a", "|", "$B"], false),
            ("", &[], false),
        ] {
            let found = words(command).unwrap();
            assert_eq!(
                (found.words.as_slice(), found.shell),
                (expected.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>().as_slice(), shell)
            );
        }
        for open in ["'a", "\"a", "a\\", "\"\\"] {
            assert_eq!(words(open), None, "{open}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_command_is_taken_apart_or_refused(command in "[ab'\"\\\\ |$]*|\\PC*") {
            let _ = words(&command);
        }
    }
}
