//! Signatures by the key of an account.
//!
//! Source: <https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key>.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_aws::http::Request;
use ring::hmac;

/// Signs a request whose body has this length, and which has its date.
pub fn sign(request: &mut Request, account: &str, key: &[u8], length: u64) {
    let text = text(request, account, length);
    let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let signature = STANDARD.encode(signed.as_ref());
    request.headers.set("authorization", format!("SharedKey {account}:{signature}"));
}

/// What is signed.
fn text(request: &Request, account: &str, length: u64) -> String {
    let mut text = format!("{}\n", request.method);
    for name in [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ] {
        if name == "content-length" && length > 0 {
            text.push_str(&length.to_string());
        } else if let Some(value) = request.headers.get(name).filter(|_| name != "content-length") {
            text.push_str(value);
        }
        text.push('\n');
    }
    let mut own: Vec<(String, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    own.sort_by_key(|(name, _)| (weight(name), name.clone()));
    for (name, value) in own {
        text.push_str(&format!("{name}:{value}\n"));
    }
    text.push_str(&format!("/{account}{}", request.path));
    let mut query: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in &request.query {
        query.entry(name.to_lowercase()).or_default().push(value);
    }
    for (name, mut values) in query {
        values.sort_unstable();
        text.push_str(&format!("\n{name}:{}", values.join(",")));
    }
    text
}

/// The service sorts names as words of a language: a hyphen counts only where all else is the same,
/// and an underscore stands before digits.
fn weight(name: &str) -> String {
    name.chars().filter(|it| *it != '-').map(|it| if it == '_' { ' ' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_put_into_words() {
        let mut request =
            Request::of_url("PUT", "http://127.0.0.1:1/dev/c/a%20b?comp=block&blockid=b&BlockId=a")
                .unwrap();
        for (name, value) in [
            ("x-ms-version", "2021-12-02"),
            ("X-Ms-Meta-a1", " one "),
            ("x-ms-meta-a_1", "two"),
            ("content-type", "text/plain"),
            ("user-agent", "davit"),
        ] {
            request.headers.set(name, value);
        }
        let expected = "PUT\n\n\n5\n\ntext/plain\n\n\n\n\n\n\n\
            x-ms-meta-a_1:two\nx-ms-meta-a1:one\nx-ms-version:2021-12-02\n\
            /dev/dev/c/a%20b\nblockid:a,b\ncomp:block";
        assert_eq!(text(&request, "dev", 5), expected);
        assert_eq!(text(&request, "dev", 0), expected.replace("\n5\n", "\n\n"));
    }

    /// What azure-storage-blob 12.31.1 for Python sends for the same requests.
    #[test]
    fn signatures_are_those_of_the_official_client() {
        let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
        let key = STANDARD.decode(key).unwrap();
        let metadata = [
            ("x-ms-meta-a1", "one"),
            ("x-ms-meta-a_1", "two"),
            ("x-ms-meta-ab", "three"),
            ("x-ms-meta-a_b", "x"),
        ];
        let local =
            "http://127.0.0.1:10000/devstoreaccount1/c/a%20b/%C3%BC?comp=block&blockid=YWE%3D";
        let far = "https://acct.blob.core.windows.net";
        for (account, method, url, length, headers, expected) in [
            (
                "devstoreaccount1",
                "PUT",
                local.to_owned(),
                5,
                &[("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")][..],
                "S4OzqG4FFTpqljaDVljCCX/y0LeZpKO0WobA4Qeis+Q=",
            ),
            (
                "acct",
                "PUT",
                format!("{far}/c?comp=metadata&restype=container"),
                0,
                &metadata,
                "LDYsWX445ed0Pwt/raBijhyRIwNYNFk0zS/0DoOdmLs=",
            ),
            (
                "acct",
                "GET",
                format!("{far}/?comp=list&prefix=a%2Fb%20c&include=metadata&marker="),
                0,
                &[("x-ms-range", "bytes=0-1"), ("if-match", "\"0x1\"")],
                "xaYfvZ/ASsqLSl8TDc8hui2oeT0pvDolIgsRTx+cFJ8=",
            ),
        ] {
            let mut request = Request::of_url(method, &url).unwrap();
            request.headers.set("x-ms-date", "Sat, 21 Nov 2026 20:00:00 GMT");
            request.headers.set("x-ms-version", "2021-12-02");
            headers.iter().for_each(|(name, value)| request.headers.set(name, *value));
            sign(&mut request, account, &key, length);
            let found = request.headers.get("authorization").unwrap();
            assert_eq!(found, format!("SharedKey {account}:{expected}"), "{url}");
        }
    }
}
