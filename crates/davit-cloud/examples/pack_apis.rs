//! Makes `src/gcp/apis.bin` out of the discovery documents of google-api-python-client: `pack_apis DOCUMENTS RELEASE
//! OUTPUT`. `cargo xtask gen gcp-apis` fetches them and calls it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::error::Error;
use std::{env, fs};

use davit_cloud::gcp::store::MAGIC;
use davit_cloud::gcp::{methods_of, pack, strings_of};
use serde_json::Value;

/// The size of the dictionary that all frames share.
const DICTIONARY: usize = 110 << 10;
const LEVEL: i32 = 19;

/// A string that so many documents have is kept once for all.
const COMMON: usize = 20;

struct Document {
    name: String,
    version: String,
    methods: usize,
    json: Value,
    frame: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, release, output] = arguments.as_slice() else {
        return Err("pack_apis DOCUMENTS RELEASE OUTPUT".into());
    };
    let mut documents = Vec::new();
    for entry in fs::read_dir(folder)? {
        let json: Value = serde_json::from_slice(&fs::read(entry?.path())?)?;
        // The index beside them is no document.
        if json["rootUrl"].is_string() {
            let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
            let (name, version) = (text("name"), text("version"));
            let methods = methods_of(&json);
            documents.push(Document { name, version, methods, json, frame: Vec::new() });
        }
    }
    // Some are there twice, under two names of the file.
    documents
        .sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
    documents.dedup_by(|left, right| left.name == right.name && left.version == right.version);
    let common = common(&documents);
    let common: Vec<&str> = common.iter().map(String::as_str).collect();
    for document in &mut documents {
        document.frame = pack(&document.json, &common);
    }
    let samples: Vec<&[u8]> = documents.iter().map(|it| it.frame.as_slice()).collect();
    let dictionary = zstd::dict::from_samples(&samples, DICTIONARY)?;
    fs::write(output, write(release, &documents, &dictionary, &common)?)?;
    Ok(())
}

/// The strings that many documents have, the commonest first.
fn common(documents: &[Document]) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in documents.iter().flat_map(|it| strings_of(&it.json)) {
        *counts.entry(text).or_default() += 1;
    }
    let mut common: Vec<(String, usize)> =
        counts.into_iter().filter(|(_, count)| *count >= COMMON).collect();
    common.sort_by(|left, right| (Reverse(left.1), &left.0).cmp(&(Reverse(right.1), &right.0)));
    common.into_iter().map(|(text, _)| text).collect()
}

fn write(
    release: &str,
    documents: &[Document],
    dictionary: &[u8],
    common: &[&str],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary)?;
    let mut frames = Vec::new();
    for document in documents {
        frames.push(compressor.compress(&document.frame)?);
    }
    let mut table = Vec::new();
    number(&mut table, common.len());
    common.iter().for_each(|it| number(&mut table, it.len()));
    common.iter().for_each(|it| table.extend(it.as_bytes()));
    let dictionary = zstd::bulk::compress(dictionary, LEVEL)?;
    let table = zstd::bulk::compress(&table, LEVEL)?;
    let mut out = MAGIC.to_vec();
    text(&mut out, release);
    number(&mut out, dictionary.len());
    number(&mut out, table.len());
    number(&mut out, documents.len());
    for (document, frame) in documents.iter().zip(&frames) {
        text(&mut out, &document.name);
        text(&mut out, &document.version);
        number(&mut out, document.methods);
        number(&mut out, frame.len());
        number(&mut out, document.frame.len());
    }
    out.extend(dictionary);
    out.extend(table);
    frames.iter().for_each(|it| out.extend(it));
    Ok(out)
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len());
    out.extend(text.as_bytes());
}

fn number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}
