//! Lists of containers and blobs, which come as XML, as results show them.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value, json};

/// A page of a list.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    /// What stands on it.
    pub items: Vec<Value>,
    /// By what the next one is asked for; empty on the last.
    pub next: String,
}

/// How deep elements may lie in each other.
const DEEPEST: usize = 32;

#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
    /// Its text is percent-encoded, as XML has no way to say it.
    is_encoded: bool,
}

impl Element {
    fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|it| it.name == name)
    }

    fn text_of(&self, name: &str) -> &str {
        self.child(name).map(|it| it.text.as_str()).unwrap_or_default()
    }
}

/// Reads a page; nothing where it is none.
#[must_use]
pub fn page(body: &[u8]) -> Option<Page> {
    let root = read(std::str::from_utf8(body).ok()?)?;
    if root.name != "EnumerationResults" {
        return None;
    }
    let list = root.child("Blobs").or_else(|| root.child("Containers"))?;
    let items = list.children.iter().filter(|it| matches!(it.name.as_str(), "Blob" | "Container"));
    let items = items.map(item).collect();
    Some(Page { items, next: root.text_of("NextMarker").to_owned() })
}

fn item(element: &Element) -> Value {
    /// Properties by their names in XML and in results.
    const NAMES: &[(&str, &str)] = &[
        ("BlobType", "blob_type"),
        ("Cache-Control", "cache_control"),
        ("Content-Disposition", "content_disposition"),
        ("Content-Encoding", "content_encoding"),
        ("Content-Language", "content_language"),
        ("Content-Length", "content_length"),
        ("Content-MD5", "content_md5"),
        ("Content-Type", "content_type"),
        ("Etag", "etag"),
        ("Last-Modified", "last_modified"),
        ("LeaseState", "lease_state"),
        ("PublicAccess", "public_access"),
        ("AccessTier", "tier"),
        ("ArchiveStatus", "archive_status"),
    ];
    let mut map = Map::new();
    let name = element.child("Name");
    let text = name.map(|it| it.text.clone()).unwrap_or_default();
    let text = if name.is_some_and(|it| it.is_encoded) { decoded(&text) } else { text };
    map.insert("name".to_owned(), text.into());
    if let Some(properties) = element.child("Properties") {
        for (name, key) in NAMES {
            let Some(found) = properties.child(name).filter(|it| !it.text.is_empty()) else {
                continue;
            };
            let number =
                (*key == "content_length").then(|| found.text.parse::<u64>().ok()).flatten();
            map.insert(
                (*key).to_owned(),
                number.map_or_else(|| found.text.clone().into(), Value::from),
            );
        }
    }
    let metadata = element.child("Metadata").map(|it| it.children.as_slice()).unwrap_or_default();
    let metadata: Map<String, Value> =
        metadata.iter().map(|it| (it.name.to_lowercase(), it.text.clone().into())).collect();
    map.insert("metadata".to_owned(), json!(metadata));
    Value::Object(map)
}

fn decoded(text: &str) -> String {
    let request = davit_aws::http::Request::of_url("GET", &format!("http://h/?p={text}"));
    request.and_then(|it| it.query.into_iter().next()).map(|(_, it)| it).unwrap_or_default()
}

fn read(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                if open.len() > DEEPEST {
                    return None;
                }
                open.push(begun(&tag)?);
            }
            Event::Empty(tag) => open.last_mut()?.children.push(begun(&tag)?),
            Event::End(_) => {
                let done = open.pop()?;
                open.last_mut()?.children.push(done);
            }
            Event::Text(part) => open.last_mut()?.text.push_str(&part.xml10_content()),
            Event::CData(part) => open.last_mut()?.text.push_str(&part.xml10_content()),
            Event::GeneralRef(part) => {
                let letter = match part.resolve_char_ref().ok()? {
                    Some(letter) => letter,
                    None => match &*part {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return None,
                    },
                };
                open.last_mut()?.text.push(letter);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let root = open.pop().filter(|_| open.is_empty())?;
    root.children.into_iter().next()
}

fn begun(tag: &quick_xml::events::BytesStart<'_>) -> Option<Element> {
    let name = tag.name().into_inner().to_owned();
    let encoded = tag.try_get_attribute("Encoded").ok()?;
    let is_encoded = encoded.is_some_and(|it| it.value == "true");
    Some(Element { name, is_encoded, ..Element::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read() {
        let text = "\u{feff}<?xml version=\"1.0\"?><EnumerationResults><Blobs><Blob><Name>a &amp; &#98;</Name>\
            <Properties><Content-Length>3</Content-Length><Content-MD5 /><AccessTier>Hot</AccessTier></Properties>\
            <Metadata><Team>shop</Team></Metadata></Blob><Blob><Name Encoded=\"true\">b%0Bc</Name></Blob>\
            <BlobPrefix/></Blobs><NextMarker>n</NextMarker></EnumerationResults>";
        let found = page(text.as_bytes()).unwrap();
        let first = json!({"name": "a & b", "content_length": 3, "tier": "Hot", "metadata": {"team": "shop"}});
        assert_eq!(found.items, [first, json!({"name": "b\u{b}c", "metadata": {}})]);
        assert_eq!(found.next, "n");
        for text in ["", "<a/>", "<EnumerationResults>", "<EnumerationResults/>", "{}"] {
            assert_eq!(page(text.as_bytes()), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn anything_is_a_page_or_none(text in "(<[/a!?& -]*>|&#?x?[0-9a-z]*;?|\\PC)*") {
            let _ = page(text.as_bytes());
        }
    }
}
