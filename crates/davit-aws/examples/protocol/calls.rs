//! What calls are made of besides their requests: waits between attempts, pages, waiters, JMESPath.

use davit_aws::{
    paginate::Paginator,
    query::{Query, QueryError},
    retry::{Failure, Mode, Policy, Reason},
    value::{Map, Value},
    wait::{Seen, State, Waiter},
};
use serde_json::{Value as Json, json};

use crate::{
    ask::{Answer, Asked, Refusal, Style, to_value},
    models::Models,
};

pub(crate) fn jmespath(asked: Asked<'_>, _: &mut Models) -> Answer {
    // What is looked through may be null.
    let given = to_value(asked.0.get("given").unwrap_or(&Json::Null))?;
    let found = Query::read(asked.need_text("expression")?).and_then(|it| it.search(&given));
    match found {
        Ok(found) => Ok(json!({ "result": Style::of(asked).json(&found) })),
        Err(error) => {
            let class = match &error {
                QueryError::Syntax { .. } | QueryError::Depth => "syntax",
                QueryError::Function { .. } => "unknown-function",
                QueryError::Argument { .. } => "invalid-type",
                QueryError::Arity { .. } => "invalid-arity",
                QueryError::Step => "invalid-value",
            };
            Err(Refusal::of(class, &error))
        }
    }
}

pub(crate) fn retry(asked: Asked<'_>, _: &mut Models) -> Answer {
    let mode = match asked.text("mode") {
        None | Some("standard") => Mode::Standard,
        Some("adaptive") => Mode::Adaptive,
        Some("legacy") => Mode::Legacy,
        Some(other) => return Err(Refusal::new("request", format!("there is no mode {other:?}"))),
    };
    let small =
        |names: &[&str]| asked.number(names).map(|it| u32::try_from(it).unwrap_or(u32::MAX));
    let service = asked.text("service").unwrap_or("example");
    let mut policy = Policy::new(mode, small(&["max_attempts", "maxAttempts"]), service);
    if let Some(quota) = small(&["quota", "initial_retry_tokens", "initialRetryTokens"]) {
        policy = policy.with_quota(quota);
    }
    let chance = asked.get("chance").and_then(Json::as_f64).unwrap_or(1.0);
    let (mut attempt, mut spent) = (1, 0);
    let mut steps = Vec::new();
    for outcome in asked.list("outcomes") {
        let step = one_attempt(Asked(outcome), &policy, attempt, chance, &mut spent);
        let again = step["outcome"] == "retry";
        attempt = if again { attempt + 1 } else { 1 };
        spent = if again { spent } else { 0 };
        steps.push(step);
    }
    Ok(json!({"max_attempts": policy.most(), "steps": steps}))
}

fn one_attempt(
    outcome: Asked<'_>,
    policy: &Policy,
    attempt: u32,
    chance: f64,
    spent: &mut u32,
) -> Json {
    let now = outcome.get("time").and_then(Json::as_f64).unwrap_or(0.0);
    let status = outcome.number(&["status", "status_code", "statusCode"]);
    let failure = Failure {
        code: outcome.any_text(&["code", "error_code", "errorCode"]),
        status: status.and_then(|it| u16::try_from(it).ok()),
        connection: outcome.flag(&["connection"]).unwrap_or(false),
        modeled: outcome.flag(&["retryable"]).unwrap_or(false),
        modeled_throttling: outcome.flag(&["throttling"]).unwrap_or(false),
        retry_after: outcome.number(&["retry_after"]),
    };
    let reason = failure.reason();
    policy.answered(now, reason == Some(Reason::Throttling));
    let well =
        !failure.connection && failure.code.is_none() && failure.status.is_none_or(|it| it < 300);
    let mut step = if well {
        policy.succeeded(*spent);
        json!({"outcome": "success"})
    } else if let Some(wait) = policy.again(&failure, attempt, chance, spent) {
        json!({"outcome": "retry", "delay": wait.as_secs_f64()})
    } else {
        json!({"outcome": match reason {
            None => "not_retryable",
            Some(_) if attempt >= policy.most() => "max_attempts_exceeded",
            Some(_) => "quota_exceeded",
        }})
    };
    step["attempt"] = attempt.into();
    step["quota"] = policy.quota().into();
    step["before_sending"] = policy.before_sending(now).as_secs_f64().into();
    step["reason"] = match reason {
        None => Json::Null,
        Some(Reason::Transient) => "transient".into(),
        Some(Reason::Throttling) => "throttling".into(),
        Some(Reason::Modeled) => "modeled".into(),
    };
    step
}

pub(crate) fn paginate(asked: Asked<'_>, models: &mut Models) -> Answer {
    let (service, operation) = models.operation(asked)?;
    let paginator = Paginator::of(service, operation).map_err(|it| Refusal::of("model", &it))?;
    let missing = || Refusal::new("model", format!("{} has no pages", operation.name));
    let paginator = paginator.ok_or_else(missing)?;
    let page_error = |it| Refusal::of("page", &it);
    let mut params = asked.params("params")?;
    let mut shown = 0;
    if let Some(token) = asked.text("starting_token") {
        let (tokens, before) = paginator.start(token).map_err(page_error)?;
        tokens.put(&mut params);
        shown = before;
    }
    let most = asked.number(&["max_items"]).and_then(|it| usize::try_from(it).ok());
    let style = Style::of(asked);
    let mut whole = paginator.whole();
    let (mut requests, mut taken, mut resume) = (Vec::new(), 0, None);
    for page in asked.list("pages") {
        requests.push(style.map(params.clone()));
        let page = to_value(page)?;
        let before = std::mem::take(&mut shown);
        let left = most.map(|it| it - taken);
        let there = paginator.count(&page).saturating_sub(before);
        let mut part = page.clone();
        if before > 0 || left.is_some() {
            paginator.cut(&mut part, before, left);
        }
        whole.add(&part);
        taken += left.map_or(there, |it| there.min(it));
        if left.is_some_and(|it| there > it) {
            resume = Some(paginator.resume_token(&params, before + left.unwrap_or(0)));
            break;
        }
        let Some(next) = paginator.next(&page, &params).map_err(page_error)? else { break };
        next.put(&mut params);
        if most == Some(taken) {
            resume = Some(paginator.resume_token(&params, 0));
            break;
        }
    }
    Ok(json!({"result": style.map(whole.end()), "requests": requests, "resume_token": resume}))
}

pub(crate) fn wait(asked: Asked<'_>, models: &mut Models) -> Answer {
    let service = models.service(asked)?;
    let name = asked.need_text("waiter")?;
    let waiter = Waiter::of(service, name).map_err(|it| Refusal::of("model", &it))?;
    let missing = || Refusal::new("model", format!("there is no waiter {name:?}"));
    let waiter = waiter.ok_or_else(missing)?;
    let mut states = Vec::new();
    for outcome in asked.list("outcomes") {
        let outcome = Asked(outcome);
        let status = outcome.number(&["status"]).and_then(|it| u16::try_from(it).ok());
        let values = match outcome.get("output") {
            Some(output) => to_value(output)?,
            None => Value::Map(Map::new()),
        };
        let seen = match outcome.text("error") {
            Some(code) => Seen::Error { code, status: status.unwrap_or(400) },
            None => Seen::Answer { values: &values, status: status.unwrap_or(200) },
        };
        let state = match waiter.state(seen) {
            Some(State::Success) => "success",
            Some(State::Failure) => "failure",
            Some(State::Retry) => "retry",
            None => "error",
        };
        states.push(state);
        if state != "retry" {
            break;
        }
    }
    Ok(json!({
        "operation": waiter.operation,
        "delay": waiter.delay.as_secs(),
        "max_attempts": waiter.most,
        "state": states.last().copied().unwrap_or("retry"),
        "states": states,
    }))
}
