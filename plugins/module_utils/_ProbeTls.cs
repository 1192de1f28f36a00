// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. The platform's own TLS handshake, and what it says of the server's certificate.

using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeHello;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeWire;

namespace ansible_collections.appproxy.connector.plugins.module_utils._ProbeTls
{
    internal sealed class Handshake
    {
        // Schannel's words for an alert that came encrypted, where the wire does not show it: illegal message, unknown
        // certificate, expired, algorithm mismatch, unsupported function, untrusted root, wrong principal.
        private static readonly uint[] AlertCodes =
        {
            0x80090326, 0x80090327, 0x80090328, 0x80090331, 0x80090302, 0x80090325, 0x80090322
        };
        private readonly WireStream wire;
        private readonly CertificateWatch watch;

        public Handshake(WireStream wire)
        {
            this.wire = wire;
            watch = new CertificateWatch(wire);
            Session = new SslStream(wire, true, watch.Validate);
        }

        public SslStream Session { get; private set; }

        // `protocols` 0 is the platform's own choice. Throws a fault, with all facts told where it is the certificate's.
        public void Run(string name, SslProtocols protocols, Func<IEnumerable<byte[]>, List<object>> keep, Facts facts)
        {
            try
            {
                Authenticate(name, protocols);
            }
            catch (Exception e)
            {
                Fault fault = Read(e);
                if (fault == null)
                    throw;
                throw fault;
            }
            facts.Set("version", Version((int)Session.SslProtocol));
            if (wire.Clear.Suite.HasValue)
                facts.Set("cipher", Suites.Name(wire.Clear.Suite.Value));
            facts.Set("chain", keep(watch.Chain));
            facts.Set("errors", Texts.List(watch.Errors));
            facts.Set("chain_status", Texts.List(watch.ChainStatus));
            facts.Set("callback_ms", watch.CallbackMs);
            facts.Set("chain_ms", watch.ChainMs);
            if (watch.Errors.Count > 0)
                throw new Fault(watch.Errors[0], "the platform found: " + string.Join(", ", watch.ChainStatus.Union(watch.Errors)));
        }

        public void Authenticate(string name, SslProtocols protocols)
        {
            wire.Clear = new ClearWords();
            Session.AuthenticateAsClient(name, null, protocols, false);
        }

        // The bits of Schannel, which both platforms use; the Framework gives them raw where it has no name for them.
        private static string Version(int protocol)
        {
            if ((protocol & 0x3000) != 0)
                return "TLSv1.3";
            if ((protocol & 0xc00) != 0)
                return "TLSv1.2";
            return (protocol & 0x300) != 0 ? "TLSv1.1" : (protocol & 0xc0) != 0 ? "TLSv1.0" : "0x" + Texts.Hex(protocol, 1);
        }

        // What a failed handshake means; null when the exception is a mistake of ours. The wire tells an alert better
        // than the platform does, whose words are never read.
        private Fault Read(Exception e)
        {
            if (wire.Clear.Alert != null)
                return wire.Clear.Alert;
            if (Fault.Find<SocketException>(e) != null || e is ObjectDisposedException)
                return Fault.Of(e, "reset");
            if (wire.Ended)
                return new Fault("closed", Fault.Words(e));
            Win32Exception native = Fault.Find<Win32Exception>(e);
            if (native != null && wire.Clear.Encrypted && AlertCodes.Contains(unchecked((uint)native.NativeErrorCode)))
                return Fault.Alert(null, Fault.Words(e));
            // An argument is refused where the Framework is too old for the system's default protocols.
            bool known = e is AuthenticationException || e is IOException || e is Win32Exception || e is CryptographicException
                || e is InvalidOperationException || e is NotSupportedException || e is ArgumentException;
            return known ? new Fault("protocol", Fault.Words(e)) : null;
        }
    }

    // Hears what the platform says of the server's certificate and lets the handshake go on, so that a GET can follow.
    internal sealed class CertificateWatch
    {
        public readonly List<byte[]> Chain = new List<byte[]>();
        public readonly List<string> Errors = new List<string>();
        public readonly List<string> ChainStatus = new List<string>();
        public int CallbackMs, ChainMs;
        private readonly WireStream wire;
        private readonly long began = Stopwatch.GetTimestamp();

        public CertificateWatch(WireStream wire)
        {
            this.wire = wire;
        }

        public bool Validate(object sender, X509Certificate certificate, X509Chain chain, SslPolicyErrors errors)
        {
            long now = Stopwatch.GetTimestamp();
            CallbackMs = Milliseconds(now - began);
            // The last bytes came, then the platform built the chain, then it called: the time between is the building.
            ChainMs = Milliseconds(now - wire.LastRead);
            List<X509ChainStatusFlags> status = chain == null ? new List<X509ChainStatusFlags>()
                : chain.ChainStatus.Select(one => one.Status).Where(one => one != X509ChainStatusFlags.NoError).Distinct().ToList();
            ChainStatus.AddRange(status.Select(one => one.ToString()));
            bool chainFailed = (errors & SslPolicyErrors.RemoteCertificateChainErrors) != 0;
            bool late = status.Contains(X509ChainStatusFlags.NotTimeValid);
            bool other = status.Any(one => one != X509ChainStatusFlags.NotTimeValid && one != X509ChainStatusFlags.NotTimeNested);
            if ((errors & SslPolicyErrors.RemoteCertificateNotAvailable) != 0 || (chainFailed && (other || !late)))
                Errors.Add("untrusted");
            if ((errors & SslPolicyErrors.RemoteCertificateNameMismatch) != 0)
                Errors.Add("name_mismatch");
            if (chainFailed && late)
                Errors.Add("expired");
            if (certificate != null)
                Sent(certificate.GetRawCertData(), chain);
            return true;
        }

        private static int Milliseconds(long ticks)
        {
            return (int)Math.Max(0, ticks * 1000 / Stopwatch.Frequency);
        }

        // What the server sent: the leaf, then in the order of the chain that the platform built; what is left over comes last.
        private void Sent(byte[] leaf, X509Chain chain)
        {
            Chain.Add(leaf);
            if (chain == null)
                return;
            List<string> built = chain.ChainElements.Cast<X509ChainElement>().Select(element => element.Certificate.Thumbprint).ToList();
            IEnumerable<X509Certificate2> others = chain.ChainPolicy.ExtraStore.Cast<X509Certificate2>();
            // -1, for what is not in it, becomes the greatest.
            Chain.AddRange(others.OrderBy(one => (uint)built.IndexOf(one.Thumbprint)).Select(one => one.RawData)
                .Where(one => !one.SequenceEqual(leaf)));
        }
    }
}
