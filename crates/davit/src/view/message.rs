//! Messages that are no results, as the original words them.

use davit_event::{Cause, Level};

use crate::view::paint::{Screen, To};
use crate::view::{Settings, problem};

/// What is said before the first deprecation.
pub(crate) const DEPRECATIONS_CAN_BE_DISABLED: &str =
    "Deprecation warnings can be disabled by setting `deprecation_warnings=False` in ansible.cfg.";

/// A message in the original's words: what kind of message, its place, its advice.
pub(crate) fn say(screen: &mut Screen, settings: &Settings, level: Level, cause: &Cause) {
    let palette = &settings.palette;
    match level {
        Level::Info => screen.line(To::Out, &cause.message, None),
        Level::Verbose => {
            if settings.verbosity > 0 {
                screen.line(To::Out, &cause.message, Some(&palette.verbose));
            }
        }
        Level::Warning | Level::Deprecated | Level::Error => {
            let (head, code) = match level {
                Level::Warning => ("[WARNING]", &palette.warn),
                Level::Deprecated => ("[DEPRECATION WARNING]", &palette.deprecate),
                _ => ("[ERROR]", &palette.error),
            };
            if level == Level::Deprecated {
                let hint = format!("[WARNING]: {DEPRECATIONS_CAN_BE_DISABLED}");
                screen.line_once(To::Err, &hint, Some(&palette.warn));
            }
            let mut text = problem::text(std::slice::from_ref(cause), settings.source);
            if text.contains(problem::CAUSED_BY) && !text.ends_with("\n\n") {
                text.push_str("\n\n");
            }
            screen.line_once(To::Err, &format!("{head}: {text}"), Some(code));
        }
    }
}
