//! Requests that are signed and then sent unchanged or changed.

use std::{fmt::Write, time::SystemTime};

use aws_credential_types::Credentials as SigningKey;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use powertune_local::Credentials;

#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) key: Credentials,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) time: SystemTime,
}

/// A signed request, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Draft {
    /// Adds the headers of AWS's library.
    pub(crate) fn signed(self) -> Wire {
        let body = self.body.clone();
        self.signed_over(SignableBody::Bytes(&body))
    }

    /// Signs as services do that do not check the body.
    pub(crate) fn signed_without_body(mut self) -> Wire {
        self.headers.push(("x-amz-content-sha256".to_owned(), "UNSIGNED-PAYLOAD".to_owned()));
        self.signed_over(SignableBody::UnsignedPayload)
    }

    fn signed_over(self, body: SignableBody<'_>) -> Wire {
        let (id, secret) = (&self.key.access_key_id, &self.key.secret_access_key);
        let token = self.key.session_token.clone();
        let identity = SigningKey::new(id, secret, token, None, "test").into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(self.time)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let mut wire = self.clone().unsigned();
        let headers = wire.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = SignableRequest::new(&self.method, &self.path, headers, body).unwrap();
        let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
        let added = instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        wire.headers.extend(added.collect::<Vec<_>>());
        wire
    }

    pub(crate) fn unsigned(self) -> Wire {
        let host = ("host".to_owned(), self.host);
        let headers = [vec![host], self.headers].concat();
        Wire { method: self.method, path: self.path, headers, body: self.body }
    }
}

impl Wire {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Changes the value of a header.
    pub(crate) fn edit(&mut self, name: &str, from: &str, to: &str) {
        let header = self.headers.iter_mut().find(|(known, _)| known == name).unwrap();
        assert!(header.1.contains(from), "{name}: {}", header.1);
        header.1 = header.1.replacen(from, to, 1);
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "content-length: {}\r\n\r\n", self.body.len()).unwrap();
        [head.into_bytes(), self.body.clone()].concat()
    }
}
