//! `powertune prices`: shows the prices that are used, and fetches AWS's.

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use clap::{Args, ValueEnum};
use jiff::{Timestamp, ToSpan};
use powertune_core::{
    price::{Listing, Prices, parse_list_of},
    region::{Currency, Region},
};
use powertune_engine::gateway::check_endpoint;

use crate::{
    console::{print, say},
    error::CommandError,
    output::{self, Color, Style, plain},
    prices::{self, FetchError, PriceFolder, PriceOptions, fetch},
};

/// The number of days by which a list may be dated ahead: this machine's clock may be wrong.
const MOST_DAYS_AHEAD: i64 = 7;

const EXAMPLES: &str = "Examples:
  powertune prices --all
  powertune prices --update --region eu-central-1
  powertune prices --region eu-central-1 --output json > prices.json
  powertune tune my-function --prices prices.json";

/// Show the prices in use and their date; fetch AWS's price list
///
/// powertune brings a table of prices. `--update` fetches AWS's public price list of a region,
/// without credentials, and keeps it for this user in $XDG_DATA_HOME/powertune/prices
/// (~/.local/share/powertune/prices). From then on tune and demo use it, and results say so. A list
/// that is older than the table is not used. A list that is damaged, or has a price that can't be
/// right, is not kept. To use the table again, delete the file. The state machine always uses the
/// table.
///
/// The prices are those of the first tier of a month, before any free tier.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct PricesCommand {
    /// Region of the prices [default: AWS_REGION or the profile's region, else all]
    #[arg(long)]
    region: Option<String>,
    /// Show all regions
    #[arg(long, conflicts_with_all = ["region", "update"])]
    all: bool,
    /// Fetch AWS's price list of the region, and keep it for this user
    #[arg(long, conflicts_with = "prices")]
    update: bool,
    /// Endpoint to fetch the list from instead of AWS's
    #[arg(long, value_name = "URL", requires = "update")]
    endpoint_url: Option<String>,
    /// Format of the prices
    #[arg(long, value_enum, default_value_t = PriceFormat::Table)]
    output: PriceFormat,
    #[command(flatten)]
    file: PriceOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PriceFormat {
    /// For people
    Table,
    /// A price list that --prices takes
    Json,
    /// One row for each architecture of a region
    Csv,
}

impl PricesCommand {
    pub(crate) async fn run(self) -> Result<(), CommandError> {
        let file = self.file.read()?;
        let region = if self.all { None } else { self.region().await? };
        if self.update {
            let Some(region) = &region else {
                let problem = "is missing: AWS has a price list for each region; give one, such as \
                               --region us-east-1";
                return Err(CommandError::input("--region", problem));
            };
            self.update(region).await?;
        }
        let prices = match (file, &region) {
            (Some(file), _) => file.prices(),
            (None, Some(region)) => prices::of_run(None, region, warn)?,
            (None, None) => all(),
        };
        self.show(&prices, region.as_ref())
    }

    /// The region of the option, the environment or the profile. Nothing is called.
    async fn region(&self) -> Result<Option<Region>, CommandError> {
        if let Some(code) = &self.region {
            let region = Region::new(code);
            return region
                .map(Some)
                .map_err(|error| CommandError::input("--region", error.to_string()));
        }
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if let Some(code) = std::env::var(name).ok().filter(|code| !code.is_empty()) {
                let region = Region::new(code);
                return region
                    .map(Some)
                    .map_err(|error| CommandError::input(name, error.to_string()));
            }
        }
        let of_profile = ProfileFileRegionProvider::new().region().await;
        Ok(of_profile.and_then(|region| Region::new(region.to_string()).ok()))
    }

    /// Fetches the list of a region and keeps it. A list with any fault changes nothing.
    async fn update(&self, region: &Region) -> Result<(), CommandError> {
        if let Some(url) = &self.endpoint_url {
            let checked = check_endpoint(url);
            checked.map_err(|error| CommandError::input("--endpoint-url", error.to_string()))?;
        }
        if region.currency() == Currency::Eur {
            let problem = format!(
                "{region} has no price list that powertune can check: it knows no price in {}",
                region.currency()
            );
            return Err(CommandError::input("--region", problem));
        }
        let kept = PriceFolder::of_user().ok_or_else(|| {
            CommandError::Other("there is no folder to keep prices in: set HOME".to_owned())
        })?;
        let url = prices::url(region, self.endpoint_url.as_deref());
        let failed = |problem: String| {
            CommandError::Other(format!(
                "the price list of {region} was not fetched from {}: {problem}. Nothing was changed",
                without_password(&url)
            ))
        };
        let text = fetch(&url, prices::LONGEST_WAIT);
        let text = text.await.map_err(|error: FetchError| failed(error.to_string()))?;
        let listing = parse_list_of(&text, region).map_err(|fault| failed(fault.to_string()))?;
        let now = Timestamp::now();
        let listing = Listing { fetched: Some(rounded(now)), ..listing };
        may_replace(&listing, &kept, now).map_err(failed)?;
        kept.write(&listing).map_err(|error| {
            let path = kept.path(region);
            CommandError::Other(format!(
                "the price list of {region} could not be kept in {}: {error}. Nothing was changed; \
                 set XDG_DATA_HOME to a folder that you can write to",
                path.display()
            ))
        })?;
        let path = kept.path(region);
        say(&plain(&format!(
            "fetched the prices of {} for {region}; they are kept in {}",
            listing.published,
            path.display()
        )));
        Ok(())
    }

    fn show(&self, prices: &Prices, region: Option<&Region>) -> Result<(), CommandError> {
        let listings = match region {
            None => prices.listings(),
            Some(region) => vec![prices.listing(region).ok_or_else(|| unknown(prices, region))?],
        };
        print(&match self.output {
            PriceFormat::Table => {
                output::prices::table(prices, &listings, &Style::of_stdout(Color::Auto))
            }
            PriceFormat::Json => output::prices::json(&listings),
            PriceFormat::Csv => output::prices::csv(&listings),
        })
    }
}

fn warn(text: &str) {
    say(&plain(&format!("warning: {text}")));
}

/// The prices of all regions: fetched ones where there are some, else built-in ones.
fn all() -> Prices {
    let Some(kept) = PriceFolder::of_user() else { return Prices::default() };
    let read = |region: &Region| match kept.read(region) {
        Ok(listing) => listing,
        Err(not_used) => {
            warn(&not_used.to_string());
            None
        }
    };
    Prices::fetched(kept.regions().iter().filter_map(read))
}

fn unknown(prices: &Prices, region: &Region) -> CommandError {
    let origin = prices.origin(region);
    CommandError::input(
        "--region",
        format!(
            "no price of {region} is known ({origin}): give --all instead of --region to see the regions with \
             known prices, or fetch AWS's price list with `powertune prices --update --region \
             {region}`"
        ),
    )
}

/// Refuses a list that is dated ahead, or older than the prices that it would replace.
fn may_replace(listing: &Listing, kept: &PriceFolder, now: Timestamp) -> Result<(), String> {
    let published = &listing.published;
    let latest = now + (24 * MOST_DAYS_AHEAD).hours();
    if *published > latest.strftime("%F").to_string() {
        return Err(format!("its date, {published}, is in the future"));
    }
    if let Some(built_in) = prices::older_than_built_in(listing) {
        return Err(format!("it is of {published}, and the built-in prices are of {built_in}"));
    }
    match kept.read(&listing.region) {
        Ok(Some(known)) if known.published > *published => Err(format!(
            "it is of {published}, and older than the one that is kept ({known})",
            known = known.published
        )),
        _ => Ok(()),
    }
}

fn rounded(moment: Timestamp) -> String {
    moment.strftime("%FT%TZ").to_string()
}

/// The URL without a password, which may stand before the host.
fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (_, host))) => format!("{scheme}://{host}"),
        None => url.to_owned(),
    }
}
