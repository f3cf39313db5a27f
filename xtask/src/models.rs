//! The models of AWS's services, out of the package that has them.

use std::{fs, process::Command};

use crate::{Outcome, cache, process, root};

/// The release of botocore whose models are built in. The tests compare with the same one.
pub(crate) const BOTOCORE: &str = "1.44.5";

/// Writes `crates/davit-aws/models/models.bin` from the botocore that `setup` installed.
pub(crate) fn write() -> Outcome {
    let lib = cache()?.join("aws/lib");
    let version = fs::read_dir(&lib)
        .map_err(|error| format!("{}: {error} (cargo xtask setup)", lib.display()))?
        .flatten()
        .next()
        .ok_or_else(|| format!("{}: nothing is in it", lib.display()))?;
    let packages = version.path().join("site-packages");
    if !packages.join(format!("botocore-{BOTOCORE}.dist-info")).is_dir() {
        return Err(format!("{}: no botocore {BOTOCORE}", packages.display()));
    }
    let output = root().join("crates/davit-aws/models/models.bin");
    process::cargo(&[
        "build",
        "-p",
        "davit-aws",
        "--release",
        "--locked",
        "--example",
        "pack_models",
    ])?;
    let program = crate::target().join("release/examples/pack_models");
    process::run(
        Command::new(program).arg(packages.join("botocore/data")).arg(BOTOCORE).arg(&output),
    )
}
