//! The recommendation in words.

use powertune_core::{
    power::Power,
    result::{PowerStats, TuningResult},
    stopped::Stopped,
};

use super::{
    figures::{
        Criterion, FigureRatio, criterion, decides, deciding, is_current, measured, row, versus,
    },
    quantity::{Direction, direction, duration, percent},
    text::harmless,
};

/// From this ratio on, a duration is called so many times faster or slower, instead of percent.
const TIMES: f64 = 1.5;
/// Below this confidence, the notes say how to become surer.
const UNSURE: f64 = 0.9;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headline {
    /// The recommendation, and its confidence.
    pub(super) sentence: String,
    /// Further sentences.
    pub(super) notes: Vec<String>,
}

pub(super) fn headline(result: &TuningResult) -> Headline {
    let notes = [
        applied(result),
        within_tolerance(result),
        ties(result),
        surer(result),
        no_comparison(result),
    ];
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
        (Some(TradeOff { words, .. }), None) => words.clone(),
        (Some(TradeOff { words, .. }), Some(limit)) => format!("{words}, and keeps to {limit}"),
    };
    if is_current(result, power) {
        return format!("Stay at {power}: it is {is}; {sure}.");
    }
    match comparison(result) {
        None => format!("Choose {power}: {is}; {sure}."),
        Some(Comparison { words, today }) => {
            let limit = limit(result).map_or(String::new(), |limit| format!("keeps to {limit}, "));
            let words = traded.filter(|traded| traded.best == today).map_or(words, |it| it.words);
            format!("Choose {power}: {limit}{words}; {sure}.")
        }
    }
}

/// The change to the function or to its alias.
fn applied(result: &TuningResult) -> Option<String> {
    let applied = result.applied.as_ref()?;
    let power = applied.power;
    let text = match (&applied.alias, &applied.version) {
        (Some(alias), Some(version)) => format!(
            "Applied: the alias {} points to version {}, which has {power}.",
            harmless(alias),
            harmless(version)
        ),
        _ => format!("Applied: the function has {power} now."),
    };
    Some(text)
}

/// The reason for a choice within the tolerance: the size is not quite the best for the strategy,
/// and better otherwise.
#[derive(Debug)]
struct TradeOff {
    /// The best size for the strategy.
    best: Power,
    /// `as cheap as 128 MB within 2 %, 13 times faster`.
    words: String,
}

fn traded(result: &TuningResult) -> Option<TradeOff> {
    let by_speed = match decides(result) {
        Criterion::Cost => false,
        Criterion::Time => true,
        Criterion::Balance => return None,
    };
    let figure = |row: &PowerStats| {
        deciding(row).map(|(cost, time)| if by_speed { (time, cost) } else { (cost, time) })
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
    (better.direction == Direction::Less).then_some(TradeOff { best, words })
}

/// The trade-off, if the sentence compares with today's size instead.
fn within_tolerance(result: &TuningResult) -> Option<String> {
    let compared = comparison(result)?;
    let traded = traded(result).filter(|traded| traded.best != compared.today)?;
    (result.limit_kept != Some(false)).then(|| format!("It is {}.", traded.words))
}

/// True if the size keeps to the limit, or there is no limit.
fn keeps(result: &TuningResult, row: &PowerStats) -> bool {
    let limited = row.deciding.and_then(|figures| figures.limited);
    match (result.max_duration, limited) {
        (Some(limit), Some(duration)) => duration <= limit,
        (Some(_), None) => false,
        (None, _) => true,
    }
}

fn only(result: &TuningResult) -> String {
    let power = result.power;
    let verb = if is_current(result, power) { "Stay at" } else { "Choose" };
    if result.stats.len() > 1 {
        format!("{verb} {power}: it is the only memory size that could be measured.")
    } else {
        format!("{power} was the only memory size measured: there is nothing to choose from.")
    }
}

fn limit_missed(result: &TuningResult) -> String {
    let limit = limit(result).unwrap_or_default();
    let power = result.power;
    let who =
        if is_current(result, power) { format!("today's {power}") } else { power.to_string() };
    let comparison = comparison(result);
    let comparison = comparison.map_or(String::new(), |it| format!(", {}", it.words));
    let closest = row(result, power).and_then(|row| row.deciding?.limited);
    match closest.map(duration) {
        Some(closest) => format!(
            "No measured memory size keeps to {limit}; {who} comes closest with \
             {closest}{comparison}."
        ),
        None => format!(
            "No measured memory size is known to keep to {limit}; {who} comes \
             closest{comparison}."
        ),
    }
}

/// `200 ms at p95`.
fn limit(result: &TuningResult) -> Option<String> {
    let (limit_ms, percentile) = result.max_duration.zip(result.percentile)?;
    Some(format!("{limit_ms} ms at p{percentile}"))
}

/// The rank of the chosen size among the measured ones.
fn superlative(result: &TuningResult) -> String {
    let count = measured(result).count();
    let limit = limit(result);
    let among = match &limit {
        Some(limit) => format!("of the {count} memory sizes measured that keeps to {limit}"),
        None => format!("of the {count} memory sizes measured"),
    };
    let own = row(result, result.power).and_then(|row| criterion(result, row));
    let is_best = own.is_some_and(|own| {
        let mut all = measured(result).filter(|row| keeps(result, row));
        all.all(|row| criterion(result, row).is_none_or(|other| own <= other))
    });
    // A tolerance may have chosen a size that is not quite the best.
    match (decides(result), is_best) {
        (Criterion::Cost, true) => format!("the cheapest {among}"),
        (Criterion::Cost, false) => {
            format!("the fastest within the tolerance of the cheapest {among}")
        }
        (Criterion::Time, true) => format!("the fastest {among}"),
        (Criterion::Time, false) => {
            format!("the cheapest within the tolerance of the fastest {among}")
        }
        (Criterion::Balance, _) => format!("the best balance of cost and speed {among}"),
    }
}

/// `98 % sure that no measured size is better by more than 3 %`.
fn sure(result: &TuningResult) -> String {
    let Some(confidence) = result.confidence else {
        let unmeasured: Vec<String> = result.unmeasured.iter().map(ToString::to_string).collect();
        return format!(
            "the confidence is not known, since {} could not be measured",
            unmeasured.join(", ")
        );
    };
    let percents = (confidence * 100.0).floor();
    let sure = match confidence {
        confidence if confidence >= 0.995 => "more than 99 % sure".to_owned(),
        confidence if confidence < 0.8 => format!("only {percents} % sure"),
        _ => format!("{percents} % sure"),
    };
    let zone = (result.indifference * 100.0).round();
    format!("{sure} that no measured size is better by more than {zone} %")
}

/// The chosen size beside today's.
#[derive(Debug)]
struct Comparison {
    today: Power,
    /// `45 % cheaper and 7.9 times faster than today's 128 MB`.
    words: String,
}

fn comparison(result: &TuningResult) -> Option<Comparison> {
    let (cost, time) = versus(result, result.power)?;
    let today = result.current.as_ref()?.power;
    let tied = result.ties.contains(&today);
    let decides = decides(result);
    // The analysis has decided whether the deciding figure differs.
    let is_open = |is_criterion: bool, versus: FigureRatio| {
        if is_criterion { tied } else { versus.open() }
    };
    let cost = Phrase::cost(cost.ratio(), is_open(decides == Criterion::Cost, cost));
    let time = Phrase::time(time.ratio(), is_open(decides == Criterion::Time, time));
    let (first, second) = if decides == Criterion::Time { (time, cost) } else { (cost, time) };
    Some(Comparison { today, words: Phrase::joined(&first, &second, today) })
}

/// The comparison of one figure.
#[derive(Debug)]
struct Phrase {
    words: String,
    direction: Direction,
}

impl Phrase {
    /// The words for a ratio of costs. `is_open` is true if the measurements do not tell which is
    /// higher.
    fn cost(ratio: f64, is_open: bool) -> Self {
        let direction = direction(ratio);
        let words = match direction {
            Direction::Same => "as cheap".to_owned(),
            Direction::Less => format!("{} cheaper", percent(1.0 - ratio)),
            Direction::More if ratio >= 2.0 => format!("{} times dearer", times(ratio)),
            Direction::More => format!("{} dearer", percent(ratio - 1.0)),
        };
        Self { words, direction }.hedged(is_open)
    }

    /// The words for a ratio of durations.
    fn time(ratio: f64, is_open: bool) -> Self {
        let direction = direction(ratio);
        let words = match direction {
            Direction::Same => "as fast".to_owned(),
            Direction::Less if 1.0 / ratio >= TIMES => {
                format!("{} times faster", times(1.0 / ratio))
            }
            Direction::Less => format!("{} faster", percent(1.0 - ratio)),
            Direction::More if ratio >= TIMES => format!("{} times slower", times(ratio)),
            Direction::More => format!("{} slower", percent(ratio - 1.0)),
        };
        Self { words, direction }.hedged(is_open)
    }

    fn hedged(self, is_open: bool) -> Self {
        if is_open && self.direction != Direction::Same {
            return Self { words: format!("perhaps {}", self.words), ..self };
        }
        self
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
    let names: Vec<String> = result.ties.iter().map(name).collect();
    (!names.is_empty()).then(|| format!("As good, as far as measured: {}.", names.join(", ")))
}

fn surer(result: &TuningResult) -> Option<String> {
    let unsure = result.confidence.is_some_and(|confidence| confidence < UNSURE)
        && result.limit_kept != Some(false);
    let text = match result.stopped {
        Stopped::CostReached => "A higher --max-cost would make it surer.",
        Stopped::TimeReached => "A less busy machine would make it surer.",
        Stopped::Interrupted | Stopped::Failed => return None,
        _ => "More invocations of each size (--num) would make it surer.",
    };
    (unsure && measured(result).count() > 1).then(|| text.to_owned())
}

fn no_comparison(result: &TuningResult) -> Option<String> {
    result.current.is_none().then(|| {
        "Today's memory size was not measured, so that there is no comparison with it.".to_owned()
    })
}
