//! The ciphers that a text in OpenSSL's words asks for.
//!
//! It does not know what they do. Those of TLS 1.3 are always there, as with OpenSSL.

use rustls::{CipherSuite, SupportedCipherSuite};

/// A cipher of TLS 1.2, and the words that OpenSSL knows it by, its full name first.
const NAMES: &[(CipherSuite, &[&str])] = &[
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        &["ECDHE-ECDSA-AES256-GCM-SHA384", "AECDSA", "ECDSA", "AES256", "AES", "AESGCM", "SHA384"],
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        &["ECDHE-ECDSA-AES128-GCM-SHA256", "AECDSA", "ECDSA", "AES128", "AES", "AESGCM", "SHA256"],
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        &["ECDHE-ECDSA-CHACHA20-POLY1305", "AECDSA", "ECDSA", "CHACHA20"],
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        &["ECDHE-RSA-AES256-GCM-SHA384", "ARSA", "RSA-SIGNED", "AES256", "AES", "AESGCM", "SHA384"],
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        &["ECDHE-RSA-AES128-GCM-SHA256", "ARSA", "RSA-SIGNED", "AES128", "AES", "AESGCM", "SHA256"],
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        &["ECDHE-RSA-CHACHA20-POLY1305", "ARSA", "RSA-SIGNED", "CHACHA20"],
    ),
];

/// Words that every one of them goes by.
const ALL: &[&str] = &[
    "ALL",
    "DEFAULT",
    "COMPLEMENTOFDEFAULT",
    "HIGH",
    "ECDHE",
    "EECDH",
    "ECDH",
    "KECDHE",
    "KEECDH",
    "TLSV1.2",
    "FIPS",
];

/// Those of `there` that the words choose; `None` where no cipher of TLS 1.2 is left.
pub(super) fn choose(
    there: &[SupportedCipherSuite],
    words: &[String],
) -> Option<Vec<SupportedCipherSuite>> {
    let text = words.join(":");
    let mut chosen: Vec<CipherSuite> = Vec::new();
    let mut banned: Vec<CipherSuite> = Vec::new();
    for word in text.split([':', ',', ' ']).filter(|it| !it.is_empty() && !it.starts_with('@')) {
        let (sign, word) = match word.split_at_checked(1) {
            Some((sign @ ("!" | "-" | "+"), rest)) => (sign, rest),
            _ => ("", word),
        };
        let meant: Vec<CipherSuite> =
            NAMES.iter().filter(|(_, names)| is_meant(word, names)).map(|(it, _)| *it).collect();
        match sign {
            "!" => banned.extend(meant),
            "-" => chosen.retain(|it| !meant.contains(it)),
            // Only the order changes.
            "+" => {
                let (late, early) = chosen.iter().partition(|it| meant.contains(it));
                chosen = early;
                let late: Vec<CipherSuite> = late;
                chosen.extend(late);
            }
            _ => {
                let fresh: Vec<_> = meant.into_iter().filter(|it| !chosen.contains(it)).collect();
                chosen.extend(fresh);
            }
        }
    }
    chosen.retain(|it| !banned.contains(it));
    if chosen.is_empty() {
        return None;
    }
    let modern = there.iter().filter(|it| it.tls13().is_some());
    let older = chosen.iter().filter_map(|name| there.iter().find(|it| it.suite() == *name));
    Some(modern.chain(older).copied().collect())
}

/// Whether all parts of a word such as `ECDHE+AESGCM` are names of a cipher.
fn is_meant(word: &str, names: &[&str]) -> bool {
    word.split('+').all(|part| {
        let part = part.to_ascii_uppercase();
        ALL.contains(&part.as_str()) || names.contains(&part.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_choose_ciphers() {
        let there = rustls::crypto::ring::default_provider().cipher_suites;
        let check = |words: &[&str], expect: Option<usize>| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            let older = choose(&there, &words)
                .map(|it| it.iter().filter(|it| it.tls13().is_none()).count());
            assert_eq!(older, expect, "{words:?}");
        };
        check(&["ECDHE+AESGCM"], Some(4));
        check(&["@SECLEVEL=2", "ECDH+AESGCM", "ECDH+CHACHA20", "DHE+AES", "!aNULL"], Some(6));
        check(&["HIGH:!AES256:-CHACHA20"], Some(2));
        check(&["ECDHE-RSA-AES128-GCM-SHA256"], Some(1));
        check(&["nonsense"], None);
        check(&["ALL", "!ALL"], None);
    }
}
