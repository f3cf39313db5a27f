//! Makes `models/models.bin` out of botocore's data: `pack_models BOTOCORE_DATA RELEASE OUTPUT`.
//! `cargo xtask gen aws-models` fetches the data and calls it.

use std::{cmp::Reverse, collections::HashMap, env, error::Error, fs, path::Path};

use davit_aws::model::{Files, MAGIC, Packed, pack, pack_value, read_files, strings_of};

/// The size of the dictionary that all frames share.
const DICTIONARY: usize = 110 << 10;
const LEVEL: i32 = 19;

/// A string that so many services have is kept once for all.
const COMMON: usize = 20;

struct Model {
    words: [String; 4],
    files: Files,
    /// The head and the pieces.
    frames: Vec<Vec<u8>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [data, release, output] = arguments.as_slice() else {
        return Err("pack_models BOTOCORE_DATA RELEASE OUTPUT".into());
    };
    let data = Path::new(data);
    let mut services = Vec::new();
    for entry in fs::read_dir(data)? {
        let folder = entry?.path();
        if folder.is_dir() {
            services.push(service(&folder)?);
        }
    }
    services.sort_by(|left, right| left.words[0].cmp(&right.words[0]));
    let common = common(&services);
    let common: Vec<&str> = common.iter().map(String::as_str).collect();
    for service in &mut services {
        let Packed { head, pieces } = pack(&service.files, &common);
        service.frames = [vec![head], pieces].concat();
    }
    let samples: Vec<&[u8]> =
        services.iter().flat_map(|it| &it.frames).map(Vec::as_slice).collect();
    let dictionary = zstd::dict::from_samples(&samples, DICTIONARY)?;
    let partitions = fs::read(data.join("partitions.json"))?;
    let partitions = pack_value(&serde_json::from_slice(&partitions)?);
    let mut strings = Vec::new();
    number(&mut strings, common.len());
    common.iter().for_each(|it| number(&mut strings, it.len()));
    common.iter().for_each(|it| strings.extend(it.as_bytes()));
    let file = write(release, &services, &dictionary, [&strings, &partitions])?;
    fs::write(output, file)?;
    Ok(())
}

fn service(folder: &Path) -> Result<Model, Box<dyn Error>> {
    let mut versions: Vec<_> =
        fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?.iter().map(|it| it.path()).collect();
    versions.sort();
    let newest = versions.pop().ok_or("a service without a version")?;
    let files = read_files(&newest)?;
    let metadata = &files.service["metadata"];
    let word = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
    let name = folder.file_name().ok_or("a folder without a name")?.to_string_lossy().into_owned();
    // The folder's version is the one that counts: that of the metadata may be older.
    let version = newest.file_name().ok_or("no name")?.to_string_lossy().into_owned();
    let words = [name, word("serviceId"), word("serviceFullName"), version];
    Ok(Model { words, files, frames: Vec::new() })
}

/// The strings that many services have, the commonest first.
fn common(services: &[Model]) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in services.iter().flat_map(|it| strings_of(&it.files)) {
        *counts.entry(text).or_default() += 1;
    }
    let mut common: Vec<(String, usize)> =
        counts.into_iter().filter(|(_, count)| *count >= COMMON).collect();
    common.sort_by(|left, right| (Reverse(left.1), &left.0).cmp(&(Reverse(right.1), &right.0)));
    common.into_iter().map(|(text, _)| text).collect()
}

fn write(
    release: &str,
    services: &[Model],
    dictionary: &[u8],
    shared: [&[u8]; 2],
) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary)?;
    let mut compress =
        |it: &Model| it.frames.iter().map(|it| compressor.compress(it)).collect::<Result<_, _>>();
    let frames: Vec<Vec<Vec<u8>>> = services.iter().map(&mut compress).collect::<Result<_, _>>()?;
    let common = zstd::bulk::compress(shared[0], LEVEL)?;
    let partitions = zstd::bulk::compress(shared[1], LEVEL)?;

    let mut out = MAGIC.to_vec();
    text(&mut out, release);
    number(&mut out, dictionary.len());
    number(&mut out, common.len());
    number(&mut out, partitions.len());
    number(&mut out, services.len());
    for (service, frames) in services.iter().zip(&frames) {
        service.words.iter().for_each(|it| text(&mut out, it));
        for (at, (frame, plain)) in frames.iter().zip(&service.frames).enumerate() {
            if at == 1 {
                number(&mut out, frames.len() - 1);
            }
            number(&mut out, frame.len());
            number(&mut out, plain.len());
        }
        if frames.len() == 1 {
            number(&mut out, 0);
        }
    }
    // As it is: to unpack it would take longer than all the rest of a small service.
    out.extend(dictionary);
    out.extend(common);
    out.extend(partitions);
    frames.iter().flatten().for_each(|it| out.extend(it));
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
