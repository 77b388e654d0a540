//! Measures the engine's own cost: CPU and wall time for each invocation, and peak memory, with
//! more and more invocations in flight. A bare HTTP client on the same endpoint is the comparison.
//! The decision after the last invocation is measured apart.
//!
//! ```text
//! cargo run --release -p powertune-engine --example overhead
//! ```
//!
//! The endpoint is nginx, which answers every call of a run at once as Lambda would. Each
//! measurement is a process of its own, so none has another's memory.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request as HttpRequest, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use nix::{
    sys::signal::{Signal, kill},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};
use powertune_core::{price::Prices, request::parse};
use powertune_engine::{
    Journals, Keep,
    event::{Event, Events},
    gateway::{Connection, Gateway},
    run::{Context, Ending, tune},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

mod control_plane;

const IN_FLIGHT: [usize; 4] = [1, 100, 1_000, 5_000];
const REQUEST_ID: &str = "8f507cfc-0000-4697-b07a-ac58fc914c95";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |text: &String| text.parse().expect("a number");
    match arguments.as_slice() {
        [] => compare(&IN_FLIGHT),
        [in_flight] => compare(&[number(in_flight)]),
        [client, url, in_flight, count] => measure(client, url, number(in_flight), number(count)),
        _ => eprintln!("give nothing, or how many invocations are to be in flight"),
    }
}

fn compare(all_in_flight: &[usize]) {
    let folder = tempfile::tempdir().expect("a folder for nginx");
    let control_plane = control_plane::start();
    let started = start_nginx(folder.path(), control_plane.address());
    let Some((mut nginx, url)) = started else {
        eprintln!("nginx is not installed, or did not start; apt-get install nginx-light");
        return;
    };
    println!("in flight  client   CPU/invocation  wall/invocation  peak memory  decision");
    for &in_flight in all_in_flight {
        let count = (in_flight * 5).clamp(2_000, 20_000);
        for client in ["engine", "bare"] {
            let this = env::current_exe().expect("this program");
            let output = Command::new(this)
                .args([client, &url, &in_flight.to_string(), &count.to_string()])
                .stderr(Stdio::inherit())
                .output()
                .expect("a measurement");
            print!("{in_flight:>9}  {client:<7} {}", String::from_utf8_lossy(&output.stdout));
        }
    }
    // SIGTERM, unlike SIGKILL, lets nginx end its worker too.
    let pid = Pid::from_raw(i32::try_from(nginx.id()).expect("a process id"));
    let _ = kill(pid, Signal::SIGTERM);
    let _ = nginx.wait();
}

/// Runs `count` invocations with `in_flight` at a time, and prints the cost in this process.
fn measure(client: &str, url: &str, in_flight: usize, count: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let before = Spent::now();
    let invoked = match client {
        "engine" => runtime.block_on(with_engine(url, in_flight, count)),
        _ => runtime.block_on(with_bare_client(url, in_flight, count)),
    };
    let each = |duration: Duration| duration.as_secs_f64() * 1e6 / count as f64;
    println!(
        "{:>11.0} us {:>13.0} us {:>9.1} MB {:>6.0} ms",
        each(invoked.cpu.saturating_sub(before.cpu)),
        each(invoked.at.duration_since(before.at)),
        peak_memory_mb(),
        cpu().saturating_sub(invoked.cpu).as_secs_f64() * 1e3,
    );
}

/// The time at a moment, and the CPU time of this process until then.
struct Spent {
    at: Instant,
    cpu: Duration,
}

impl Spent {
    fn now() -> Self {
        Self { at: Instant::now(), cpu: cpu() }
    }
}

/// Tunes, and returns the moment after the last invocation.
async fn with_engine(url: &str, in_flight: usize, count: usize) -> Spent {
    let fields = json!({
        "lambdaARN": "fn", "powerValues": [512], "num": count, "parallel": in_flight, "payload": {},
    });
    let request = parse(fields.as_object().expect("an object")).expect("a good request");
    let connection = Connection {
        region: Some("us-east-1".parse().expect("a region")),
        profile: None,
        endpoint_url: Some(url.to_owned()),
        credentials: Some(("key".to_owned(), "secret".to_owned())),
    };
    let gateway = Gateway::connect(&connection, &request.function).await.expect("a gateway");
    let (events, mut heard) = Events::channel();
    let listener = tokio::spawn(async move {
        let (mut left, mut invoked) = (count, Spent::now());
        while let Some(event) = heard.recv().await {
            if let Event::Observed(_) = event {
                left -= 1;
                if left == 0 {
                    invoked = Spent::now();
                }
            }
        }
        invoked
    });
    let context = Context {
        by: "benchmark".to_owned(),
        events,
        cancelled: CancellationToken::new(),
        journals: Journals::default(),
        keep: Keep::default(),
        prices: Prices::default(),
        most_time: None,
    };
    let ending = tune(&gateway, &request, &context).await;
    let Ok(Ending::Tuned(result)) = ending else { panic!("the run has no result: {ending:?}") };
    assert_eq!(result.invocations, count as u64);
    assert_eq!(result.stats[0].failures, 0, "{:?}", result.warnings);
    drop(context);
    listener.await.expect("the listener")
}

async fn with_bare_client(url: &str, in_flight: usize, count: usize) -> Spent {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let client = Arc::new(client);
    let uri = format!("{url}/2015-03-31/functions/fn/invocations");
    stream::iter(0..count)
        .map(|_| {
            let request = HttpRequest::builder()
                .method(Method::POST)
                .uri(&uri)
                .body(Full::new(Bytes::from_static(b"{}")))
                .expect("a request");
            let client = Arc::clone(&client);
            async move {
                let answer = client.request(request).await.expect("an answer");
                answer.into_body().collect().await.expect("a body");
            }
        })
        .buffer_unordered(in_flight)
        .collect::<Vec<()>>()
        .await;
    Spent::now()
}

/// User and system time of this process.
fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the clock").into()
}

fn peak_memory_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = peak.and_then(|peak| peak.trim().strip_suffix(" kB")).and_then(|kb| kb.parse().ok());
    kb.map_or(f64::NAN, |kb: f64| kb / 1024.0)
}

/// Starts nginx as a Lambda endpoint with one function of 512 MB that takes no time.
fn start_nginx(folder: &Path, control_plane: SocketAddr) -> Option<(Child, String)> {
    // Another process may take the port before nginx does; then the first call fails.
    let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let configuration = folder.join("nginx.conf");
    fs::write(&configuration, nginx_configuration(folder, port, control_plane)).ok()?;
    let nginx = Command::new("nginx")
        .args(["-c", configuration.to_str()?, "-p", folder.to_str()?, "-e", "stderr"])
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if started.elapsed() > Duration::from_secs(5) {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some((nginx, format!("http://127.0.0.1:{port}")))
}

fn nginx_configuration(folder: &Path, port: u16, control_plane: SocketAddr) -> String {
    let report = format!(
        "START RequestId: {REQUEST_ID} Version: 1\nEND RequestId: {REQUEST_ID}\nREPORT RequestId: \
         {REQUEST_ID}\tDuration: 3.50 ms\tBilled Duration: 4 ms\tMemory Size: 512 MB\tMax Memory \
         Used: 31 MB\t\n"
    );
    let tail = BASE64_STANDARD.encode(report);
    let folder = folder.display();
    format!(
        r"daemon off; pid {folder}/nginx.pid; worker_processes 1; worker_rlimit_nofile 40000;
events {{ worker_connections 30000; }}
http {{
  access_log off; keepalive_requests 1000000; default_type application/json;
  client_body_temp_path {folder}/body; client_max_body_size 10m;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location ~ /invocations$ {{
      add_header x-amzn-RequestId {REQUEST_ID}; add_header X-Amz-Log-Result {tail};
      add_header X-Amz-Executed-Version $arg_Qualifier; return 200 '{{}}';
    }}
    location / {{ proxy_pass http://{control_plane}; }}
  }}
}}
"
    )
}
