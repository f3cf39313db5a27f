//! Answers that come in pages: which page comes next, and all of them as one. Does no IO.
//!
//! Source: `paginators-1.json` of the models, and botocore's paginators.

use base64::Engine as _;
use serde_json::Value as Json;

use crate::{
    model::{Operation, Service, Tree},
    query::{Query, QueryError, is_true},
    value::{Map, Value},
};

/// How an operation's pages follow each other.
#[derive(Debug)]
pub struct Paginator {
    input_tokens: Vec<&'static str>,
    output_tokens: Vec<Query>,
    /// The parameter that says how many there are on a page.
    pub limit_key: Option<&'static str>,
    result_keys: Vec<Query>,
    more_results: Option<Query>,
    non_aggregate: Vec<Query>,
}

/// Why pages do not go on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PageError {
    /// The model's expressions make no sense.
    #[error("the pages of {operation} cannot be read")]
    Model {
        /// The operation.
        operation: &'static str,
        /// What is wrong.
        source: QueryError,
    },
    /// A service that would send the same page for ever.
    #[error("the service gave the same next token twice")]
    SameToken,
    /// What was given to start from is nothing that was given out.
    #[error("the starting token is not one that was printed as NextToken")]
    StartingToken,
}

impl Paginator {
    /// How an operation's pages follow each other; nothing if it has none.
    ///
    /// # Errors
    ///
    /// When the model's expressions make no sense.
    pub fn of(service: &Service, operation: &Operation) -> Result<Option<Self>, PageError> {
        let all = service.paginators();
        let Some(said) = all.get(operation.name) else { return Ok(None) };
        let queries = |name: &str| {
            texts(said.get(name))
                .into_iter()
                .map(Query::read)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|source| PageError::Model { operation: operation.name, source })
        };
        Ok(Some(Self {
            input_tokens: texts(said.get("input_token")),
            output_tokens: queries("output_token")?,
            limit_key: said.text("limit_key"),
            result_keys: queries("result_key")?,
            more_results: queries("more_results")?.pop(),
            non_aggregate: queries("non_aggregate_keys")?,
        }))
    }

    /// What the next page is asked for with; nothing after the last. `asked` is what this page was
    /// asked for with.
    ///
    /// # Errors
    ///
    /// When the service gives the token it was asked with.
    pub fn next(&self, page: &Value, asked: &Map) -> Result<Option<Tokens>, PageError> {
        if let Some(more) = &self.more_results
            && !more.find(page).is_ok_and(|it| is_true(&it))
        {
            return Ok(None);
        }
        let token = |query: &Query| {
            query.search(page).ok().filter(|it| is_true(it) || matches!(it, Value::Int(_)))
        };
        let next: Vec<(&'static str, Option<Value>)> =
            self.input_tokens.iter().copied().zip(self.output_tokens.iter().map(token)).collect();
        if next.iter().all(|(_, token)| token.is_none()) {
            return Ok(None);
        }
        if next.iter().all(|(name, token)| asked.get(*name) == token.as_ref()) {
            return Err(PageError::SameToken);
        }
        Ok(Some(Tokens(next)))
    }

    /// Starts putting pages together.
    #[must_use]
    pub fn whole(&self) -> Whole<'_> {
        Whole { paginator: self, values: Map::new(), pages: 0 }
    }

    /// How many of the main results a page has.
    #[must_use]
    pub fn count(&self, page: &Value) -> usize {
        self.primary(page).map_or(0, |it| it.items().len())
    }

    /// The main results of a page.
    fn primary(&self, page: &Value) -> Option<Value> {
        self.result_keys.first().and_then(|it| it.search(page).ok())
    }

    /// Takes what is more than `most` from a page's results, and what stands before `from`.
    pub fn cut(&self, page: &mut Value, from: usize, most: Option<usize>) {
        for (place, key) in self.result_keys.iter().enumerate() {
            let Some(found) = key.search(page).ok() else { continue };
            let Value::List(mut items) = found else { continue };
            // A page that was left in the middle is asked for again, whose other results were given.
            if from > 0 && place > 0 {
                items.clear();
            } else {
                items.drain(..from.min(items.len()));
                items.truncate(most.unwrap_or(usize::MAX));
            }
            put(page, key.text(), Value::List(items));
        }
    }

    /// The token to go on from, as it is shown to people: where the page begins that is next or was
    /// not shown as a whole, and how many of its results were shown.
    #[must_use]
    pub fn resume_token(&self, asked: &Map, shown: usize) -> String {
        let mut token = serde_json::Map::new();
        for name in &self.input_tokens {
            token.insert((*name).to_owned(), asked.get(*name).map_or(Json::Null, Value::to_json));
        }
        if shown > 0 {
            token.insert("boto_truncate_amount".to_owned(), shown.into());
        }
        base64::engine::general_purpose::STANDARD.encode(Json::Object(token).to_string())
    }

    /// What a token that was shown says: what the page is asked for with, and how many of its results
    /// were shown before.
    ///
    /// # Errors
    ///
    /// When it was never given out.
    pub fn start(&self, token: &str) -> Result<(Tokens, usize), PageError> {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(token)
            .map_err(|_| PageError::StartingToken)?;
        let json: Json = serde_json::from_slice(&bytes).map_err(|_| PageError::StartingToken)?;
        let said = json.as_object().ok_or(PageError::StartingToken)?;
        let shown = said.get("boto_truncate_amount").and_then(Json::as_u64).unwrap_or(0);
        let tokens = self.input_tokens.iter().map(|name| {
            let value = said.get(*name).cloned().map(Value::from);
            (*name, value.filter(|it| *it != Value::Null))
        });
        Ok((Tokens(tokens.collect()), usize::try_from(shown).unwrap_or(usize::MAX)))
    }
}

/// What a page is asked for with.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokens(Vec<(&'static str, Option<Value>)>);

impl Tokens {
    /// Puts them among the parameters.
    pub fn put(self, params: &mut Map) {
        for (name, value) in self.0 {
            match value {
                Some(value) => drop(params.insert(name.to_owned(), value)),
                None => drop(params.shift_remove(name)),
            }
        }
    }
}

/// Pages being put together: lists follow each other, numbers are added up, the rest is the first
/// page's.
#[derive(Debug)]
pub struct Whole<'a> {
    paginator: &'a Paginator,
    values: Map,
    pages: usize,
}

impl Whole<'_> {
    /// Adds a page.
    pub fn add(&mut self, page: &Value) {
        self.pages += 1;
        let mut whole = Value::Map(std::mem::take(&mut self.values));
        for key in &self.paginator.result_keys {
            let Some(more) = key.search(page).ok().filter(|it| *it != Value::Null) else {
                continue;
            };
            let known = key.search(&whole).ok().unwrap_or_default();
            let sum = match (known, more) {
                (Value::List(mut known), Value::List(more)) => {
                    known.extend(more);
                    Value::List(known)
                }
                (Value::Int(known), Value::Int(more)) => Value::Int(known.saturating_add(more)),
                (Value::Float(known), Value::Float(more)) => Value::Float(known + more),
                (Value::String(known), Value::String(more)) => Value::String(known + &more),
                (Value::Map(mut known), Value::Map(more)) => {
                    known.extend(more);
                    Value::Map(known)
                }
                (Value::Null, more) => more,
                (known, _) => known,
            };
            put(&mut whole, key.text(), sum);
        }
        if self.pages == 1 {
            for key in &self.paginator.non_aggregate {
                if let Some(value) = key.search(page).ok().filter(|it| *it != Value::Null) {
                    put(&mut whole, key.text(), value);
                }
            }
        }
        if let Value::Map(values) = whole {
            self.values = values;
        }
    }

    /// All pages as one answer. A result that no page had is an empty list.
    #[must_use]
    pub fn end(self) -> Map {
        let mut whole = Value::Map(self.values);
        for key in &self.paginator.result_keys {
            if key.search(&whole).is_ok_and(|it| it == Value::Null) {
                put(&mut whole, key.text(), Value::List(Vec::new()));
            }
        }
        match whole {
            Value::Map(values) => values,
            _ => Map::new(),
        }
    }
}

/// Puts a value at the end of a path of names, `DistributionList.Items`.
fn put(into: &mut Value, path: &str, value: Value) {
    let mut at = into;
    for name in path.split('.') {
        if !matches!(at, Value::Map(_)) {
            *at = Value::Map(Map::new());
        }
        let Value::Map(map) = at else { return };
        at = map.entry(name.to_owned()).or_default();
    }
    *at = value;
}

fn texts(said: Option<&Tree>) -> Vec<&'static str> {
    match said {
        Some(Tree::Str(text)) => vec![text],
        Some(list) => list.items().iter().filter_map(Tree::as_str).collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Store;

    fn paginator(service: &str, operation: &str) -> Paginator {
        let service = Store::default().service(service).expect("readable").expect("there");
        let operation = service.operation(operation).expect("there");
        Paginator::of(service, operation).expect("readable").expect("pages")
    }

    #[test]
    fn all_of_the_models_are_read() {
        let store = Store::default();
        let mut seen = 0;
        for listed in Store::bundled() {
            let service = store.service(listed.name).expect("readable").expect("there");
            for name in service.operation_names() {
                let operation = service.operation(name).expect("listed");
                seen += usize::from(Paginator::of(service, operation).expect("readable").is_some());
            }
        }
        assert!(seen > 3_400, "{seen}");
    }

    #[test]
    fn pages_follow_each_other_and_become_one() {
        let paginator = paginator("s3", "ListObjectsV2");
        let pages: [Value; 2] = [
            json!({"IsTruncated": true, "NextContinuationToken": "n", "Contents": [{"Key": "a"}],
                   "CommonPrefixes": [{"Prefix": "p/"}], "Name": "b"})
            .into(),
            json!({"IsTruncated": false, "Contents": [{"Key": "c"}], "Name": "b"}).into(),
        ];
        let mut asked = Map::new();
        let next = paginator.next(&pages[0], &asked).expect("goes on").expect("a page");
        next.put(&mut asked);
        assert_eq!(asked["ContinuationToken"], Value::from("n"));
        assert_eq!(paginator.next(&pages[1], &asked), Ok(None));
        assert_eq!(paginator.next(&pages[0], &asked), Err(PageError::SameToken));
        let mut whole = paginator.whole();
        pages.iter().for_each(|page| whole.add(page));
        assert_eq!(
            Value::Map(whole.end()).to_json(),
            json!({"Contents": [{"Key": "a"}, {"Key": "c"}], "CommonPrefixes": [{"Prefix": "p/"}]})
        );
    }

    #[test]
    fn a_page_that_was_left_in_the_middle_is_gone_on_with() {
        let paginator = paginator("ec2", "DescribeInstances");
        let token =
            paginator.resume_token(&Map::from_iter([("NextToken".to_owned(), "t".into())]), 2);
        let (tokens, shown) = paginator.start(&token).expect("one of ours");
        let mut params = Map::new();
        tokens.put(&mut params);
        assert_eq!((params["NextToken"].as_str(), shown), (Some("t"), 2));
        let mut page: Value = json!({"Reservations": [1, 2, 3, 4, 5]}).into();
        paginator.cut(&mut page, shown, Some(2));
        assert_eq!(page.to_json(), json!({"Reservations": [3, 4]}));
        assert_eq!(paginator.start("nonsense").err(), Some(PageError::StartingToken));
    }
}
