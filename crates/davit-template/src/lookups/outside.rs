//! Lookups that are not this crate's own: terms and options are rendered here, and whoever the program
//! has handed in answers.

use davit_value::{Map, Value, ValueError};

use super::parameters::terms;
use crate::{Asked, Call};

/// What the lookup called `name` gives.
///
/// # Errors
/// Where an argument cannot be rendered, nobody answers, or the answer is a refusal.
pub(crate) fn ask_outside(name: &str, call: &Call<'_>) -> Result<Value, ValueError> {
    let terms = terms(call)?;
    let mut options = Map::new();
    for (name, value) in &call.args.named {
        options.insert(name.clone(), call.deep(value)?);
    }
    let outside = call.env.outside;
    let Some(ask) = &outside.lookups else {
        return Err(ValueError::Value("there is nobody to ask here".into()));
    };
    let asked = Asked { name, terms: &terms, options: &options, outside };
    ask(&asked).map(Value::list).map_err(ValueError::Value)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use davit_value::{Map, Str, Value};

    use crate::{Asked, Engine, Env, Outside, Settings};

    fn engine() -> Engine {
        let lookups = vec!["house.lamps.lamp", "lamp"];
        Engine::new(Settings { lookups, ..Settings::default() })
    }

    fn answer(asked: &Asked<'_>) -> Result<Vec<Value>, String> {
        asked.outside.secret("s3cret");
        if asked.options.get("lit").is_some() {
            return Err("it is dark".to_owned());
        }
        Ok(asked.terms.iter().map(|it| format!("{} {}", asked.name, it.to_str()).into()).collect())
    }

    #[test]
    fn whoever_is_handed_in_answers_rendered_terms() {
        let engine = engine();
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let outside = Outside {
            lookups: Some(Arc::new(answer)),
            secret: Some(Arc::new(move |text: &str| hears.lock().unwrap().push(text.to_owned()))),
            ..Outside::none()
        };
        let mut scope = Map::new();
        scope.insert("hall", Value::Str(Str::trusted("the {{ 'hall' }}", None)));
        let env = Env::new(&engine, &scope, &outside);
        let text = |it: &str| env.expression(it, None).map(|it| it.to_str());
        assert_eq!(text("lookup('lamp', hall)").unwrap(), "lamp the hall");
        let listed = "['house.lamps.lamp a', 'house.lamps.lamp b']";
        assert_eq!(text("query('house.lamps.lamp', 'a', 'b')").unwrap(), listed);
        assert_eq!(*told.lock().unwrap(), ["s3cret", "s3cret"]);
        let refused = text("lookup('lamp', 'a', lit=1)").unwrap_err().to_string();
        assert!(refused.contains("The lookup plugin 'lamp' failed: it is dark"), "{refused}");
        assert_eq!(text("lookup('lamp', 'a', lit=1, errors='ignore')").unwrap(), "None");
    }

    #[test]
    fn only_the_names_that_are_told_are_known() {
        let engine = engine();
        assert!(engine.has_lookup("lamp") && engine.lookups().contains(&"house.lamps.lamp"));
        assert!(!engine.has_lookup("house.lamp") && !engine.has_lookup("lapm"));
        let (scope, outside) = (Map::new(), Outside::none());
        let env = Env::new(&engine, &scope, &outside);
        let error = env.expression("lookup('lapm')", None).unwrap_err();
        assert!(error.to_string().contains("The lookup plugin 'lapm' was not found."));
        let error = env.expression("lookup('lamp')", None).unwrap_err();
        assert!(error.to_string().contains("there is nobody to ask here"), "{error}");
    }
}
