//! Options of lookups and inventory plugins, held against what there is.

use davit_module::{Reply, Spec};

/// An option that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which one, where it is about one.
    pub option: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

/// The options coerced, with defaults. The first that does not fit is told, with the nearest name
/// that there is.
///
/// # Errors
/// For options that do not fit.
pub fn checked(spec: &Spec, options: Reply) -> Result<Reply, Misfit> {
    if let Some(name) = options.keys().find(|it| spec.option(it).is_none()) {
        let near = spec.nearest(name).map(|it| format!("; did you mean '{it}'?"));
        let message = format!("there is no option '{name}'{}", near.unwrap_or_default());
        return Err(Misfit { option: Some(name.clone()), message });
    }
    spec.check(&options).map_err(|errors| {
        let first = errors.first();
        Misfit {
            option: first.and_then(|it| it.key()).map(str::to_owned),
            message: first.map(ToString::to_string).unwrap_or_default(),
        }
    })
}
