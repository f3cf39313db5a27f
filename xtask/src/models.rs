//! The models of AWS's services and the APIs of Google, out of the packages that have them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, cache, process, root};

/// The release of botocore whose models are built in. The tests compare with the same one.
pub(crate) const BOTOCORE: &str = "1.44.5";

/// The release of google-api-python-client whose documents are built in. The tests compare with the same one.
pub(crate) const GOOGLE: &str = "2.202.0";

/// Writes `crates/davit-aws/models/models.bin` from the botocore that `setup` installed.
pub(crate) fn write() -> Outcome {
    let packages = packages("aws", &format!("botocore-{BOTOCORE}.dist-info"))?;
    let output = root().join("crates/davit-aws/models/models.bin");
    pack(("davit-aws", "pack_models"), &packages.join("botocore/data"), BOTOCORE, &output)
}

/// Writes `crates/davit-cloud/src/gcp/apis.bin` from the discovery documents that `setup` installed.
pub(crate) fn write_google() -> Outcome {
    let info = format!("google_api_python_client-{GOOGLE}.dist-info");
    let packages = packages("gcp", &info)?;
    let documents = packages.join("googleapiclient/discovery_cache/documents");
    let output = root().join("crates/davit-cloud/src/gcp/apis.bin");
    pack(("davit-cloud", "pack_apis"), &documents, GOOGLE, &output)
}

/// The folder of packages in an environment that `setup` made, if it has this one.
fn packages(environment: &str, info: &str) -> Result<PathBuf, String> {
    let lib = cache()?.join(environment).join("lib");
    let version = fs::read_dir(&lib)
        .map_err(|error| format!("{}: {error} (cargo xtask setup)", lib.display()))?
        .flatten()
        .next()
        .ok_or_else(|| format!("{}: nothing is in it", lib.display()))?;
    let packages = version.path().join("site-packages");
    if packages.join(info).is_dir() {
        return Ok(packages);
    }
    Err(format!("{}: no {info}", packages.display()))
}

/// Runs the program of a package that packs `data` into `output`.
fn pack((package, program): (&str, &str), data: &Path, release: &str, output: &Path) -> Outcome {
    process::cargo(&["build", "-p", package, "--release", "--locked", "--example", program])?;
    let program = crate::target().join("release/examples").join(program);
    process::run(Command::new(program).arg(data).arg(release).arg(output))
}
