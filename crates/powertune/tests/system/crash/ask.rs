//! `powertune tune` on a function with the marks of a killed run: at a terminal it asks, without
//! one it stops.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    process::Output,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::crash::{
    bench::Bench,
    kind::POWERS,
    point::kill_in_the_middle,
    process::{Host, LONGEST, command, finish, said},
    proxy::Proxy,
};

/// Kills a run, and tunes the function again in each way.
pub(crate) async fn ask(bench: &Bench) -> Result<(), String> {
    let host = Host::new();
    let function = bench.function(false).await;
    let before = bench.footprint(&function).await;
    let tune = ["tune", &function, "--power-values", POWERS, "--num", "5", "--quiet"];
    kill_in_the_middle(&host, bench, &tune).await?;
    let left = bench.footprint(&function).await;

    let proxy = Proxy::start(bench, &[]);
    let output = finish(&host, &proxy, &tune).await?;
    let names_clean = said(&output).contains(&format!("powertune clean {}", bench.arn(&function)));
    if output.status.code() != Some(1) || !names_clean {
        return Err(format!("without a terminal: {}", said(&output)));
    }
    bench.footprint(&function).await.must_be(&left)?;

    let (output, screen) = at_a_terminal(&host, &proxy, &tune, "n\n").await?;
    if output.status.code() != Some(1) || !screen.contains("Put it back as it was, and go on?") {
        return Err(format!("no: {}, {screen:?}", said(&output)));
    }
    bench.footprint(&function).await.must_be(&left)?;

    let (output, screen) = at_a_terminal(&host, &proxy, &tune, "y\n").await?;
    if !output.status.success() {
        return Err(format!("yes: {}, {screen:?}", said(&output)));
    }
    bench.footprint(&function).await.must_be(&before)
}

/// Runs `powertune` at a terminal with the keys `typed`; returns the outcome and the screen.
async fn at_a_terminal(
    host: &Host,
    proxy: &Proxy,
    arguments: &[&str],
    typed: &str,
) -> Result<(Output, String), String> {
    let (mut keyboard, screen, terminal) = terminal().map_err(|error| error.to_string())?;
    let mut command = command(host, proxy, arguments);
    let duplicate = terminal.try_clone().map_err(|error| error.to_string())?;
    let process = command.stdin(duplicate).stderr(terminal).spawn();
    // The command holds this process's end of the terminal. Reading ends when it is dropped.
    drop(command);
    let process = process.map_err(|error| error.to_string())?;
    // Keys wait until they are read.
    keyboard.write_all(typed.as_bytes()).map_err(|error| error.to_string())?;
    let shown = tokio::task::spawn_blocking(move || all(screen));
    let output = tokio::time::timeout(LONGEST, process.wait_with_output()).await;
    let output = output.map_err(|_| "it does not end")?.map_err(|error| error.to_string())?;
    Ok((output, shown.await.map_err(|error| error.to_string())?))
}

/// A terminal: two ends for the person, and one for the process.
fn terminal() -> std::io::Result<(File, File, File)> {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&person)?;
    unlockpt(&person)?;
    let name = ptsname(&person, Vec::new())?;
    let name = name.to_string_lossy().into_owned();
    let process = OpenOptions::new().read(true).write(true).open(name)?;
    let person = File::from(person);
    Ok((person.try_clone()?, person, process))
}

/// All output until no process has the terminal open, which makes reading fail.
fn all(mut screen: File) -> String {
    let mut shown = Vec::new();
    let mut part = [0; 1024];
    while let Ok(read @ 1..) = screen.read(&mut part) {
        shown.extend_from_slice(&part[..read]);
    }
    String::from_utf8_lossy(&shown).into_owned()
}
