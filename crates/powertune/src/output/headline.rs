//! The recommendation in words.

use powertune_core::{
    plan::Stopped,
    power::Power,
    result::{PowerStats, TuningResult},
};

use super::{
    figures::{Versus, deciding, is_current, limited_duration, measured, row, versus},
    quantity::{Direction, direction, duration, percent},
};

/// From here on a duration is so many times another, rather than so many percent more or less.
const TIMES: f64 = 1.5;
/// Below this, a user should think of measuring more.
const UNSURE: f64 = 0.9;

/// What the result comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headline {
    /// What to do, and how sure that is.
    pub(super) sentence: String,
    /// What goes with it.
    pub(super) notes: Vec<String>,
}

pub(super) fn headline(result: &TuningResult) -> Headline {
    let notes = [within_tolerance(result), ties(result), surer(result), no_comparison(result)];
    let sentence = sentence(result);
    let sentence =
        if result.complete { sentence } else { format!("Incomplete, so far: {sentence}") };
    Headline { sentence, notes: notes.into_iter().flatten().collect() }
}

fn sentence(result: &TuningResult) -> String {
    let power = result.power;
    if result.limit_kept == Some(false) {
        return limit_missed(result);
    }
    if measured(result).count() < 2 {
        return only(result);
    }
    let sure = sure(result);
    let traded = traded(result);
    let is = match (&traded, limit(result)) {
        (None, _) => superlative(result),
        (Some(Traded { words, .. }), None) => words.clone(),
        (Some(Traded { words, .. }), Some(limit)) => format!("{words}, and keeps to {limit}"),
    };
    if is_current(result, power) {
        return format!("Stay at {power}: it is {is}; {sure}.");
    }
    match comparison(result) {
        None => format!("Choose {power}: {is}; {sure}."),
        Some(Comparison { today, no_need: true, .. }) => format!(
            "No need to change: {power} came out best, but as far as measured today's {today} is \
             as good."
        ),
        Some(Comparison { words, today, .. }) => {
            let limit = limit(result).map_or(String::new(), |limit| format!("keeps to {limit}, "));
            let words = traded.filter(|traded| traded.best == today).map_or(words, |it| it.words);
            format!("Choose {power}: {limit}{words}; {sure}.")
        }
    }
}

/// What a tolerance has chosen the power for: it is not quite the best at what the strategy is
/// about, and better otherwise.
#[derive(Debug)]
struct Traded {
    /// The power that is the best.
    best: Power,
    /// `as cheap as 128 MB within 2 %, 13 times faster`.
    words: String,
}

fn traded(result: &TuningResult) -> Option<Traded> {
    let by_speed = match result.strategy.as_str() {
        "cost" | "max-duration" => false,
        "speed" => true,
        _ => return None,
    };
    let figure = |row: &PowerStats| {
        deciding(result, row).map(|(cost, time)| if by_speed { (time, cost) } else { (cost, time) })
    };
    let own = figure(row(result, result.power)?)?;
    let (best, least) = measured(result)
        .filter(|row| keeps(result, row))
        .filter_map(|row| Some((row.value, figure(row)?)))
        .min_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
    if own.0 <= least.0 || own.1 >= least.1 {
        return None;
    }
    let other = own.1 / least.1;
    let (as_good, better) = if by_speed {
        ("fast", Phrase::cost(other, false))
    } else {
        ("cheap", Phrase::time(other, false))
    };
    let within = ((own.0 / least.0 - 1.0) * 100.0).ceil();
    let name = if is_current(result, best) { format!("today's {best}") } else { best.to_string() };
    let words = format!("as {as_good} as {name} within {within} %, {}", better.words);
    (better.direction == Direction::Less).then_some(Traded { best, words })
}

/// What a tolerance has chosen the power for, where the sentence is about today's power.
fn within_tolerance(result: &TuningResult) -> Option<String> {
    let compared = comparison(result).filter(|it| !it.no_need)?;
    let traded = traded(result).filter(|traded| traded.best != compared.today)?;
    (result.limit_kept != Some(false)).then(|| format!("It is {}.", traded.words))
}

/// Whether a power keeps to the limit, where there is one.
fn keeps(result: &TuningResult, row: &PowerStats) -> bool {
    match (result.max_duration, limited_duration(result, row)) {
        (Some(limit), Some(duration)) => duration <= limit,
        (Some(_), None) => false,
        (None, _) => true,
    }
}

fn only(result: &TuningResult) -> String {
    let power = result.power;
    let verb = if is_current(result, power) { "Stay at" } else { "Choose" };
    if result.stats.len() > 1 {
        format!("{verb} {power}: it is the only power that could be measured.")
    } else {
        format!("{power} was the only power measured, so that there is nothing to choose from.")
    }
}

fn limit_missed(result: &TuningResult) -> String {
    let limit = limit(result).unwrap_or_default();
    let power = result.power;
    let who =
        if is_current(result, power) { format!("today's {power}") } else { power.to_string() };
    let comparison = comparison(result);
    let comparison = comparison.map_or(String::new(), |it| format!(", {}", it.words));
    match row(result, power).and_then(|row| limited_duration(result, row)) {
        Some(ms) => {
            let closest = duration(ms);
            format!(
                "No measured power keeps to {limit}; {who} comes closest with {closest}{comparison}."
            )
        }
        None => {
            format!(
                "No measured power is known to keep to {limit}; {who} comes closest{comparison}."
            )
        }
    }
}

/// `200 ms at p95`.
fn limit(result: &TuningResult) -> Option<String> {
    let (limit_ms, percentile) = result.max_duration.zip(result.percentile)?;
    Some(format!("{limit_ms} ms at p{percentile}"))
}

/// What the chosen power is, among those measured.
fn superlative(result: &TuningResult) -> String {
    let count = measured(result).count();
    let limit = limit(result);
    let among = match &limit {
        Some(limit) => format!("of the {count} powers measured that keeps to {limit}"),
        None => format!("of the {count} powers measured"),
    };
    let least = |figure: fn((f64, f64)) -> f64| {
        let own = row(result, result.power).and_then(|row| deciding(result, row)).map(figure);
        let mut all = measured(result).filter(|row| keeps(result, row));
        own.is_some_and(|own| {
            all.all(|row| deciding(result, row).map(figure).is_none_or(|other| own <= other))
        })
    };
    // A tolerance may have chosen one that is not quite the best.
    match result.strategy.as_str() {
        "cost" | "max-duration" if least(|(cost, _)| cost) => format!("the cheapest {among}"),
        "cost" | "max-duration" => {
            format!("the fastest within the tolerance of the cheapest {among}")
        }
        "speed" if least(|(_, time)| time) => format!("the fastest {among}"),
        "speed" => format!("the cheapest within the tolerance of the fastest {among}"),
        "balanced" => format!("the best balance of cost and speed {among}"),
        _ => format!("the best {among}"),
    }
}

/// `98 % sure`.
fn sure(result: &TuningResult) -> String {
    let Some(confidence) = result.confidence else {
        let unmeasured: Vec<String> = result.unmeasured.iter().map(ToString::to_string).collect();
        return format!(
            "how sure that is, is not known, since {} could not be measured",
            unmeasured.join(", ")
        );
    };
    let percents = (confidence * 100.0).floor();
    match confidence {
        confidence if confidence >= 0.995 => "more than 99 % sure".to_owned(),
        confidence if confidence < 0.8 => format!("only {percents} % sure"),
        _ => format!("{percents} % sure"),
    }
}

/// The chosen power beside today's.
#[derive(Debug)]
struct Comparison {
    today: Power,
    /// `45 % cheaper and 7.9 times faster than today's 128 MB`.
    words: String,
    /// Whether the analysis could not tell the two apart, and the choice is no better in what the
    /// strategy is not about either.
    no_need: bool,
}

fn comparison(result: &TuningResult) -> Option<Comparison> {
    let (cost, time) = versus(result, result.power)?;
    let today = result.current.as_ref()?.power;
    let tied = result.ties.contains(&today);
    let by_cost = matches!(result.strategy.as_str(), "cost" | "max-duration");
    let by_speed = result.strategy == "speed";
    // Of what the strategy is about, the analysis knows best whether there is a difference.
    let same = |is_criterion: bool, versus: Versus| {
        direction(versus.ratio()) == Direction::Same
            || if is_criterion { tied } else { versus.open() }
    };
    let cost = Phrase::cost(cost.ratio(), same(by_cost, cost));
    let time = Phrase::time(time.ratio(), same(by_speed, time));
    let gains = by_cost && time.direction == Direction::Less
        || by_speed && cost.direction == Direction::Less;
    let (first, second) = if by_speed { (time, cost) } else { (cost, time) };
    let words = Phrase::joined(&first, &second, today);
    Some(Comparison { today, words, no_need: tied && !gains })
}

/// How one figure compares with today's.
#[derive(Debug)]
struct Phrase {
    words: String,
    direction: Direction,
}

impl Phrase {
    fn cost(ratio: f64, same: bool) -> Self {
        let direction = if same { Direction::Same } else { direction(ratio) };
        let words = match direction {
            Direction::Same => "as cheap".to_owned(),
            Direction::Less => format!("{} cheaper", percent(1.0 - ratio)),
            Direction::More if ratio >= 2.0 => format!("{} times dearer", times(ratio)),
            Direction::More => format!("{} dearer", percent(ratio - 1.0)),
        };
        Self { words, direction }
    }

    fn time(ratio: f64, same: bool) -> Self {
        let direction = if same { Direction::Same } else { direction(ratio) };
        let words = match direction {
            Direction::Same => "as fast".to_owned(),
            Direction::Less if 1.0 / ratio >= TIMES => {
                format!("{} times faster", times(1.0 / ratio))
            }
            Direction::Less => format!("{} faster", percent(1.0 - ratio)),
            Direction::More if ratio >= TIMES => format!("{} times slower", times(ratio)),
            Direction::More => format!("{} slower", percent(ratio - 1.0)),
        };
        Self { words, direction }
    }

    fn joined(first: &Self, second: &Self, today: Power) -> String {
        let (a, b) = (&first.words, &second.words);
        match (first.direction, second.direction) {
            (Direction::Same, Direction::Same) => format!("about {a} and {b} as today's {today}"),
            (Direction::Same, Direction::Less) => format!("about {a} as today's {today} and {b}"),
            (Direction::Same, Direction::More) => format!("about {a} as today's {today} but {b}"),
            (_, Direction::Same) => format!("{a} than today's {today} and about {b}"),
            (one, other) if one == other => format!("{a} and {b} than today's {today}"),
            _ => format!("{a} but {b} than today's {today}"),
        }
    }
}

fn times(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.1}") } else { format!("{ratio:.0}") }
}

fn ties(result: &TuningResult) -> Option<String> {
    let name = |power: &Power| {
        if is_current(result, *power) { format!("{power} (today's)") } else { power.to_string() }
    };
    // Of today's, the sentence may say so already.
    let said = comparison(result).filter(|it| it.no_need).map(|it| it.today);
    let ties = result.ties.iter().filter(|tie| Some(**tie) != said);
    let names: Vec<String> = ties.map(name).collect();
    (!names.is_empty()).then(|| format!("As good, as far as measured: {}.", names.join(", ")))
}

fn surer(result: &TuningResult) -> Option<String> {
    let unsure = result.confidence.is_some_and(|confidence| confidence < UNSURE)
        && result.limit_kept != Some(false);
    let text = match result.stopped {
        Stopped::CostReached => "A higher --max-cost would make it surer.",
        Stopped::Interrupted | Stopped::Failed => return None,
        _ => "More invocations a power (--num) would make it surer.",
    };
    (unsure && measured(result).count() > 1).then(|| text.to_owned())
}

fn no_comparison(result: &TuningResult) -> Option<String> {
    result.current.is_none().then(|| {
        "The function's power today was not measured, so that there is no comparison with it."
            .to_owned()
    })
}
