//! Progress as bars on a terminal: one for the whole run, and one for each memory size.

mod total_line;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use powertune_core::{power::Power, region::Currency};
use powertune_engine::event::Event;

use self::total_line::{Time, TotalLine};
use super::{
    STOPPING, applied, cleaning_up, counted, plan_lines,
    tally::{PowerPhase, PowerProgress, Tally},
    waiting,
};
use crate::output::{Charset, duration, message, spent};

/// The interval between two updates of the time.
const TICK: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    /// The first line, so that it is visible if there are more sizes than lines.
    total: Option<ProgressBar>,
    powers: BTreeMap<Power, ProgressBar>,
    /// The time at which each size's version was published.
    started: BTreeMap<Power, Instant>,
    /// The text behind the bar of the whole run, or in its place.
    whole: Arc<Mutex<TotalLine>>,
    tally: Tally,
    charset: Charset,
    color: bool,
}

impl Bars {
    pub(super) fn new(charset: Charset, color: bool) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            total: None,
            powers: BTreeMap::new(),
            started: BTreeMap::new(),
            whole: Arc::default(),
            tally: Tally::default(),
            charset,
            color,
        }
    }

    pub(super) fn show(&mut self, event: &Event) {
        self.tally.take(event);
        match event {
            Event::Planned(plan) => {
                lock(&self.whole).since = Some(Instant::now());
                self.say(&plan_lines(plan, self.charset));
            }
            Event::Standing(_) => self.update_whole(),
            Event::RoundStarted(_) => self.start_round(),
            Event::Published { power, .. } => {
                self.started.entry(*power).or_insert_with(Instant::now);
                self.update(*power);
            }
            Event::Throttled { power, .. } | Event::PowerDone(power) => self.update(*power),
            Event::Skipped(skipped) => self.update(skipped.power),
            Event::Observed(observation) => self.update(observation.power),
            Event::Applied { .. } => self.say(&Vec::from_iter(applied(event))),
            Event::Waiting(wait) => self.say(&[waiting(wait)]),
            Event::StoppingExecution => self.say(&[STOPPING.to_owned()]),
            Event::CleaningUp => self.put_back(),
            Event::Sent(_) | Event::CleanedUp(_) => {}
        }
    }

    /// Removes the bars: the result comes next.
    pub(super) fn end(self) {
        for bar in self.powers.values().chain(&self.total) {
            bar.finish_and_clear();
        }
        self.say(&[String::new()]);
        // Errors are ignored: the terminal may be closed.
        let _ = self.screen.clear();
    }

    /// Prints lines above the bars.
    fn say(&self, lines: &[String]) {
        for line in lines {
            // If stderr is closed, there is no other place to report it.
            let _ = self.screen.println(line);
        }
    }

    fn start_round(&mut self) {
        let (charset, color) = (self.charset, self.color);
        self.total.get_or_insert_with(|| {
            let total = self.screen.insert(0, ProgressBar::new(0));
            let (before, used) = match self.tally.open_round() {
                Some(_) => (PREFIX.to_owned(), PREFIX_COLUMNS),
                None => with_bar("green", self.color),
            };
            total.set_style(whole_style(&before, used, charset, Arc::clone(&self.whole)));
            total.set_prefix("total");
            total.enable_steady_tick(TICK);
            total
        });
        let powers: Vec<Power> = self.tally.rows().map(|(power, _)| power).collect();
        for (index, power) in powers.into_iter().enumerate() {
            self.powers.entry(power).or_insert_with(|| {
                let bar = self.screen.insert(index + 1, ProgressBar::new(0));
                bar.set_style(power_style(charset, color));
                bar.set_prefix(power.to_string());
                bar
            });
            self.update(power);
        }
    }

    fn update(&self, power: Power) {
        let currency = self.tally.price().map(|price| price.currency);
        if let Some((bar, row)) = self.powers.get(&power).zip(self.tally.at(power)) {
            bar.set_length(row.wanted);
            bar.set_position(row.progress());
            bar.set_message(words(row, currency, self.charset));
        }
        self.update_whole();
    }

    fn update_whole(&self) {
        let now = Instant::now();
        let (done, wanted) = self.tally.progress();
        let round = self.tally.open_round();
        let currency = self.tally.price().map(|price| price.currency);
        let cost = currency
            .map(|currency| format!("{} so far", spent(self.tally.cost(), currency, self.charset)));
        let mut whole = lock(&self.whole);
        whole.time = match (round, whole.since) {
            (Some(_), Some(since)) => Time::Since(since),
            (Some(_), None) => Time::Unknown,
            (None, _) => self.expected_end(now).map_or(Time::Unknown, Time::Until),
        };
        let rounds = round.map(|round| {
            format!("{} in {}", counted(done, "invocation"), counted(round.into(), "round"))
        });
        whole.parts = [self.tally.standing(), rounds, cost].into_iter().flatten().collect();
        drop(whole);
        if let Some(total) = &self.total {
            total.set_length(wanted);
            total.set_position(done);
        }
    }

    /// The time at which the slowest size is done: all are measured side by side.
    fn expected_end(&self, now: Instant) -> Option<Instant> {
        let running = self.tally.rows().filter(|(_, row)| row.progress() < row.wanted);
        let left = running.map(|(power, row)| {
            let elapsed = now.duration_since(*self.started.get(&power)?);
            left(row.done, row.wanted, elapsed)
        });
        Some(now + left.collect::<Option<Vec<Duration>>>()?.into_iter().max()?)
    }

    fn put_back(&self) {
        match &self.total {
            Some(total) => {
                total.set_style(style("{prefix:>8} {wide_msg}", self.charset));
                total.set_message(cleaning_up(&self.tally));
            }
            None => self.say(&[cleaning_up(&self.tally).to_owned()]),
        }
    }
}

fn style(template: &str, charset: Charset) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates are correct")
        .progress_chars(charset.pick("█▉▊▋▌▍▎▏ ", "=> "))
}

/// A memory size, or `total`.
const PREFIX: &str = "{prefix:>8} ";
const PREFIX_COLUMNS: usize = 9;
/// On a narrower terminal the bars are shorter.
const NARROW: usize = 60;

/// The beginning of a line with a bar, and its columns.
fn with_bar(name: &str, color: bool) -> (String, usize) {
    let name = if color { format!(".{name}") } else { String::new() };
    let bar = if columns() < NARROW { 6 } else { 20 };
    (format!("{PREFIX}{{bar:{bar}{name}}} {{pos:>4}}/{{len:<4}} "), PREFIX_COLUMNS + bar + 11)
}

fn columns() -> usize {
    // The usual width, if the terminal does not tell it.
    terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0.into())
}

fn power_style(charset: Charset, color: bool) -> ProgressStyle {
    style(&format!("{}{{wide_msg}}", with_bar("cyan", color).0), charset)
}

/// The line of the whole run. `before`, its beginning, takes `used` columns.
fn whole_style(
    before: &str,
    used: usize,
    charset: Charset,
    whole: Arc<Mutex<TotalLine>>,
) -> ProgressStyle {
    let words = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
        // Some terminals wrap a line that fills the last column.
        let room = columns().saturating_sub(used + 1);
        let _ = text.write_str(&lock(&whole).words(Instant::now(), room));
    };
    style(&format!("{before}{{words}}"), charset).with_key("words", words)
}

fn lock(whole: &Mutex<TotalLine>) -> MutexGuard<'_, TotalLine> {
    // A panic of another thread leaves no part half written.
    whole.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time for the remaining invocations at the present speed; `None` before the first has ended.
fn left(done: u64, wanted: u64, elapsed: Duration) -> Option<Duration> {
    if done == 0 {
        return None;
    }
    let each = elapsed.div_f64(done as f64);
    Some(each.mul_f64(wanted.saturating_sub(done) as f64))
}

/// The text behind the bar of a size.
fn words(row: &PowerProgress, currency: Option<Currency>, charset: Charset) -> String {
    match &row.stage {
        PowerPhase::Unpublished => return "waits for its version".to_owned(),
        PowerPhase::Starting => return "its version gets ready".to_owned(),
        PowerPhase::Throttled(reason) => {
            return format!("waits, Lambda throttles ({})", message(reason));
        }
        PowerPhase::Failed(reason) => return format!("failed: {}", message(reason)),
        PowerPhase::Skipped(reason) => return format!("skipped: {}", message(reason)),
        PowerPhase::Measuring | PowerPhase::Done => {}
    }
    let mean = row.mean_ms().map(|ms| format!("{:>7}", duration(ms)));
    let cold = (row.cold_starts > 0).then(|| format!("{} cold", row.cold_starts));
    let failed = (row.failures > 0).then(|| format!("{} failed", row.failures));
    let cost = currency.map(|currency| spent(row.cost, currency, charset));
    [mean, cold, failed, cost].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use powertune_core::{
        observation::{Failure, Skipped},
        plan::{Measurement, Standing},
    };

    use super::{
        super::tally::tests::{counted, failed, open_ended, planned, power},
        *,
    };

    fn shown(events: impl IntoIterator<Item = Event>) -> Bars {
        let mut bars = Bars::new(Charset::Unicode, true);
        bars.screen.set_draw_target(ProgressDrawTarget::hidden());
        for event in planned().into_iter().chain(events) {
            bars.show(&event);
        }
        bars
    }

    fn message_at(bars: &Bars, mb: u32) -> String {
        bars.powers[&power(mb)].message()
    }

    #[test]
    fn every_stage_has_its_words() {
        let bars = shown([]);
        assert_eq!(message_at(&bars, 512), "waits for its version");
        let published = Event::Published { power: power(512), version: "1".to_owned() };
        assert_eq!(message_at(&shown([published]), 512), "its version gets ready");
        let throttled = Event::Throttled { power: power(512), reason: "busy".to_owned() };
        assert_eq!(message_at(&shown([throttled]), 512), "waits, Lambda throttles (busy)");
        let reason = "beyond the account\u{1b}[0m".to_owned();
        let skipped = Event::Skipped(Skipped { power: power(512), reason });
        assert_eq!(message_at(&shown([skipped]), 512), "skipped: beyond the account\\u{1b}[0m");
        let bars = shown([failed(512, Failure::Timeout)]);
        assert_eq!(message_at(&bars, 512), "failed: the function ran into its timeout");
        assert_eq!(bars.powers[&power(512)].position(), 3);
    }

    #[test]
    fn the_mean_the_cold_starts_and_the_cost_are_running() {
        let bars = shown([
            counted(512, 100.0, Some(200.0)),
            counted(512, 90.0, None),
            failed(128, Failure::Lost { why: String::new() }),
        ]);
        assert_eq!(message_at(&bars, 512), "90.0 ms, 1 cold, under $0.0001");
        assert_eq!(message_at(&bars, 128), "1 failed, $0.00");
        assert_eq!(bars.powers[&power(512)].position(), 2);
        let total = bars.total.as_ref().unwrap();
        assert_eq!((total.position(), total.length()), (3, Some(9)));
        assert_eq!(words(&bars), "under $0.0001 so far");
        bars.end();
    }

    #[test]
    fn a_run_without_a_known_end_counts_what_is_behind_it() {
        let mut bars = Bars::new(Charset::Unicode, true);
        bars.screen.set_draw_target(ProgressDrawTarget::hidden());
        for event in open_ended().into_iter().chain([counted(512, 1.0, None)]) {
            bars.show(&event);
        }
        assert_eq!(words(&bars), "1 s, 1 invocation in 1 round, under $0.0001 so far");
        let more = Measurement::new(power(512), 2);
        let standing = Standing { front: power(512), confidence: 0.819 };
        bars.show(&Event::Standing(standing));
        bars.show(&Event::RoundStarted(vec![more]));
        let all = "1 s, likely 512 MB, 81 % sure, 1 invocation in 2 rounds, under $0.0001 so far";
        assert_eq!(words(&bars), all);
        // The most important parts stay if there is little room.
        let whole = lock(&bars.whole);
        let now = Instant::now();
        assert_eq!(
            whole.words(now, all.len() - 1),
            all.strip_suffix(", under $0.0001 so far").unwrap()
        );
        assert_eq!(whole.words(now, 30), "1 s, likely 512 MB, 81 % sure");
        assert_eq!(whole.words(now, 28), "1 s");
        assert_eq!(whole.words(now, 2), "");
    }

    /// The whole text of the total line.
    fn words(bars: &Bars) -> String {
        lock(&bars.whole).words(Instant::now(), usize::MAX)
    }

    #[test]
    fn the_time_left_is_that_of_the_slowest() {
        assert_eq!(left(0, 10, Duration::from_secs(5)), None);
        assert_eq!(left(2, 10, Duration::from_secs(5)), Some(Duration::from_secs(20)));
        assert_eq!(left(11, 10, Duration::from_secs(5)), Some(Duration::ZERO));

        let mut bars = shown([counted(512, 1.0, None), failed(128, Failure::Timeout)]);
        let now = Instant::now();
        let ago = |seconds| now.checked_sub(Duration::from_secs(seconds)).unwrap();
        bars.started = [(power(512), ago(8)), (power(10_240), ago(2))].into();
        assert_eq!(bars.expected_end(now), None, "the third power has not begun");
        bars.tally.take(&counted(10_240, 1.0, None));
        assert_eq!(bars.expected_end(now), Some(now + Duration::from_secs(16)));
    }
}
