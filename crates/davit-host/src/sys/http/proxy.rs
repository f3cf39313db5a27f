//! Proxies, as variables of the environment name them.
//!
//! It does not know how one is spoken to.

use super::Failure;
use super::url::Url;

/// The proxy for an address; `None` = none.
///
/// # Errors
/// Where the variable holds no address.
pub(super) fn choose(
    url: &Url,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Url>, Failure> {
    let variable = |name: &str| {
        let name = name.to_lowercase();
        env(&name).or_else(|| env(&name.to_uppercase())).filter(|it| !it.is_empty())
    };
    let Some(text) = variable(&format!("{}_proxy", url.scheme)) else { return Ok(None) };
    if is_excepted(url, &variable("no_proxy").unwrap_or_default()) {
        return Ok(None);
    }
    let text = if text.contains("://") { text } else { format!("http://{text}") };
    Url::parse(&text).map(Some)
}

/// Whether `no_proxy` names the server: by its name, its port too, or the end of its name.
fn is_excepted(url: &Url, exceptions: &str) -> bool {
    let host = url.host.to_lowercase();
    let place = url.place().to_lowercase();
    exceptions.split(',').map(str::trim).filter(|it| !it.is_empty()).any(|name| {
        let name = name.trim_start_matches('.').to_lowercase();
        let tail = format!(".{name}");
        name == "*"
            || host == name
            || place == name
            || host.ends_with(&tail)
            || place.ends_with(&tail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_say_where_to_go() {
        let check = |url: &str, vars: &[(&str, &str)], expect: Option<&str>| {
            let env = |name: &str| {
                vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            };
            let found = choose(&Url::parse(url).unwrap(), &env).unwrap();
            assert_eq!(found.map(|it| it.place()).as_deref(), expect, "{url} {vars:?}");
        };
        check("http://a/", &[], None);
        check("http://a/", &[("http_proxy", "p:1")], Some("p:1"));
        check("http://a/", &[("HTTP_PROXY", "http://u:w@p:1/")], Some("p:1"));
        check("https://a/", &[("http_proxy", "p:1")], None);
        let list = |it| [("http_proxy", "p:1"), ("no_proxy", it)];
        check("http://a.b.c/", &list("x, b.c"), None);
        check("http://a.b.c/", &list(".c"), None);
        check("http://ab.c/", &list("b.c"), Some("p:1"));
        check("http://a:81/", &list("a:81"), None);
        check("http://a:82/", &list("a:81"), Some("p:1"));
        check("http://a/", &list("*"), None);
    }
}
