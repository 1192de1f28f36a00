// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. The TLS of the two opt-in rehearsals: within the server with a certificate of its own, and
// at one endpoint with a certificate that is shown by hand.

using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Tasks;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeHello;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeHttp;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbePlan;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeRequest;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeRevocation;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeWire;
using Table = System.Collections.Generic.Dictionary<string, object>;

namespace ansible_collections.appproxy.connector.plugins.module_utils._Rehearsal
{
    // Mutual TLS 1.2 over loopback, both ends with the same certificate.
    public static class TrustRehearsal
    {
        // "version", or "error" with the platform's own words; the other is null.
        public static Table Run(X509Certificate2 certificate, int timeoutMs)
        {
            TcpListener listener = new TcpListener(IPAddress.Loopback, 0);
            Sockets sockets = new Sockets();
            listener.Start(1);
            using (Wire client = new Wire(sockets))
            {
                Stage stage = Stage.Run(timeoutMs, "reset", client.GiveUp, facts => Shake(listener, client, certificate, facts));
                listener.Stop();
                object version;
                stage.Facts.TryGetValue("version", out version);
                return new Table { { "version", stage.Ok ? version : null }, { "error", stage.Ok ? null : stage.Fault.Message } };
            }
        }

        private static void Shake(TcpListener listener, Wire client, X509Certificate2 certificate, Facts facts)
        {
            bool seen = false;
            Task serving = Threads.Start(() =>
            {
                using (Socket socket = listener.AcceptSocket())
                using (SslStream server = new SslStream(new NetworkStream(socket), false, (sender, shown, chain, errors) => seen = shown != null))
                {
                    server.AuthenticateAsServer(certificate, true, SslProtocols.Tls12, false);
                    server.WriteByte(1);
                }
            });
            client.Connect(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port);
            try
            {
                SslStream session = new SslStream(client.Stream, true, (sender, shown, chain, errors) => true);
                X509CertificateCollection own = new X509CertificateCollection(new X509Certificate[] { certificate });
                session.AuthenticateAsClient("rehearsal.invalid", own, SslProtocols.Tls12, false);
                // The server's word comes after it has taken the client's certificate.
                if (session.ReadByte() != 1)
                    throw new Fault("closed", "the server's side ended without a word");
                facts.Set("version", session.SslProtocol.ToString());
            }
            catch (Exception e)
            {
                throw new Fault("protocol", Fault.Words(e));
            }
            finally
            {
                client.Dispose();
            }
            serving.Wait();
            if (!seen)
                throw new Fault("protocol", "the client showed no certificate");
        }
    }

    // A client's flight of TLS 1.2 in the clear, with a certificate and a signature that holds, and a Finished that does not.
    public static class ClientCertificateRehearsal
    {
        // A fact: asked, target, path, and of each hash what came back, {code, alert}.
        public static Table Run(IDictionary request, string targetId, string way, int timeoutMs)
        {
            Request wanted = new Request(request);
            TargetSpec target = wanted.Targets.First(one => one.Id == targetId);
            Attempt attempt = new Attempt(wanted, wanted.Paths.First(one => one.Id == way), target, null);
            Table value = new Table { { "asked", true }, { "target", targetId }, { "path", way } };
            using (RSACryptoServiceProvider key = new RSACryptoServiceProvider(2048))
            {
                foreach (Hash hash in Hash.All)
                {
                    Flight flight = new Flight(attempt, hash, key);
                    Stage stage = flight.Run(timeoutMs);
                    if (!flight.Shown && !stage.Ok)
                        return new Table { { "ok", false }, { "error", stage.Fault.AsTable() } };
                    value["asked"] = (bool)value["asked"] && flight.Shown;
                    object alert = null;
                    if (!stage.Ok)
                        stage.Fault.More.TryGetValue("description", out alert);
                    string code = flight.Shown ? stage.Ok ? "ok" : stage.Fault.Code : "not_shown";
                    value[hash.Key] = new Table { { "code", code }, { "alert", alert } };
                }
            }
            return new Table { { "ok", true }, { "value", value } };
        }
    }

    internal sealed class Hash
    {
        public static readonly Hash[] All =
        {
            new Hash { Key = "sha256", Name = "SHA256", Algorithm = 0x0401, Oid = 11 },
            new Hash { Key = "sha512", Name = "SHA512", Algorithm = 0x0601, Oid = 13 }
        };
        public string Key, Name;
        // In TLS, and the last number of the signature's object identifier, 1.2.840.113549.1.1.x.
        public int Algorithm, Oid;
    }

    internal sealed class Flight
    {
        private const int ChangeCipherSpec = 20, CertificateMessage = 11, ClientKeyExchange = 16, CertificateVerify = 15;
        // Public values that are on their curves and that anybody may send: the generators.
        private static readonly Dictionary<int, string> Points = new Dictionary<int, string>
        {
            { 29, "09" + new string('0', 62) },
            { 23, "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" +
                "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5" },
            { 24, "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7" +
                "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f" }
        };
        private readonly Attempt attempt;
        private readonly Hash hash;
        private readonly RSACryptoServiceProvider key;
        private readonly Sockets sockets = new Sockets();

        public Flight(Attempt attempt, Hash hash, RSACryptoServiceProvider key)
        {
            this.attempt = attempt;
            this.hash = hash;
            this.key = key;
        }

        // False where the server asked for no certificate, or it did not come to that.
        public bool Shown { get; private set; }

        public Stage Run(int timeoutMs)
        {
            using (Wire wire = new Wire(sockets))
                return Stage.Run(timeoutMs, "reset", wire.GiveUp, facts => Talk(wire));
        }

        private void Talk(Wire wire)
        {
            wire.Connect(new Names().Find(attempt.Dial).Result[0], attempt.Dial.Port);
            if (!attempt.Direct)
                Http.Connect(attempt.Endpoint, attempt.Target, wire, new Facts());
            string template;
            string name = attempt.Target.Place.Literal() == null ? attempt.Target.TlsName : null;
            byte[] hello = PlatformHello.Write(null, name, "", out template);
            Facts facts = new Facts();
            List<byte> answer = Answer(wire, hello, facts);
            Table seen = facts.Close();
            if (seen["certificate_request"] == null)
                return;
            object group = ((Table)seen["key_exchange"])["group"];
            if ((string)seen["version"] != "TLSv1.2" || !(group is int) || !Points.ContainsKey((int)group))
                throw new Fault("protocol", "the server agreed on a key exchange that the rehearsal does not have");
            byte[] flight = Write(hello.Skip(5).Concat(Messages(answer)), Bytes(Points[(int)group]));
            Shown = true;
            wire.Stream.Write(flight, 0, flight.Length);
            Listen(wire);
        }

        private static List<byte> Answer(Wire wire, byte[] hello, Facts facts)
        {
            ServerFlight flight = new ServerFlight(chain => new List<object>());
            List<byte> all = new List<byte>();
            byte[] buffer = new byte[16384];
            flight.Begin(facts);
            wire.Stream.Write(hello, 0, hello.Length);
            while (!flight.Done)
            {
                int got = wire.Stream.Read(buffer, 0, buffer.Length);
                if (got == 0)
                    throw flight.Closed();
                all.AddRange(buffer.Take(got));
                flight.Feed(buffer, got);
            }
            return all;
        }

        // The handshake messages in a flight, as the signature covers them.
        private static IEnumerable<byte> Messages(IEnumerable<byte> flight)
        {
            Records records = new Records();
            records.Feed(flight);
            Writer messages = new Writer();
            Part part;
            while (records.Next(out part))
            {
                if (part.Type == Records.Handshake)
                    records.FeedMessages(part.Body);
            }
            while (records.NextMessage(out part))
            {
                // HelloRequest is not covered.
                if (part.Type != 0)
                    messages.Bytes(Message(part.Type, part.Body));
            }
            return messages.ToArray();
        }

        private byte[] Write(IEnumerable<byte> before, byte[] point)
        {
            byte[] list = new Writer().Vector(3, new Writer().Vector(3, Certificate()).ToArray()).ToArray();
            byte[] first = Message(CertificateMessage, list).Concat(Message(ClientKeyExchange, new Writer().Vector(1, point).ToArray())).ToArray();
            byte[] signature = Sign(before.Concat(first).ToArray());
            byte[] verify = Message(CertificateVerify, new Writer().Number(hash.Algorithm, 2).Vector(2, signature).ToArray());
            // The last record is where the encrypted Finished would be.
            return new Writer().Bytes(Record(Records.Handshake, first.Concat(verify).ToArray()))
                .Bytes(Record(ChangeCipherSpec, new byte[] { 1 })).Bytes(Record(Records.Handshake, new byte[40])).ToArray();
        }

        private static void Listen(Wire wire)
        {
            Records records = new Records();
            byte[] buffer = new byte[4096];
            Part record;
            while (true)
            {
                int got = wire.Stream.Read(buffer, 0, buffer.Length);
                if (got == 0)
                    throw new Fault("closed", "the connection ended without a word");
                records.Feed(buffer.Take(got));
                while (records.Next(out record))
                {
                    if (record.Type == Records.Alert && record.Body.Length == 2)
                        throw Fault.Alert(record.Body[1], "the server sent alert " + record.Body[1]);
                }
            }
        }

        private static byte[] Message(int type, byte[] body)
        {
            return new Writer().Number(type, 1).Vector(3, body).ToArray();
        }

        private static byte[] Record(int type, byte[] body)
        {
            return new Writer().Number(type, 1).Number(0x0303, 2).Vector(2, body).ToArray();
        }

        private byte[] Sign(byte[] data)
        {
            return key.SignData(data, hash.Name);
        }

        // Self-signed, valid from yesterday to tomorrow; made anew each time and kept nowhere.
        private byte[] Certificate()
        {
            RSAParameters numbers = key.ExportParameters(false);
            byte[] algorithm = Der.Write(0x30, Oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, (byte)hash.Oid), Der.Write(5));
            byte[] name = Der.Write(0x30, Der.Write(0x31, Der.Write(0x30, Oid(0x55, 4, 3),
                Der.Write(0x0c, Encoding.ASCII.GetBytes("appproxy.connector rehearsal")))));
            byte[] validity = Der.Write(0x30, Time(-1), Time(1));
            byte[] publicKey = Der.Write(0x30, Integer(numbers.Modulus), Integer(numbers.Exponent));
            byte[] keyInfo = Der.Write(0x30,
                Der.Write(0x30, Oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1), Der.Write(5)), Der.Write(3, new byte[1], publicKey));
            byte[] version = Der.Write(0xa0, Integer(new byte[] { 2 }));
            byte[] body = Der.Write(0x30, version, Integer(new byte[] { 1 }), algorithm, name, validity, name, keyInfo);
            return Der.Write(0x30, body, algorithm, Der.Write(3, new byte[1], Sign(body)));
        }

        private static byte[] Oid(params byte[] content)
        {
            return Der.Write(6, content);
        }

        // Without a sign.
        private static byte[] Integer(byte[] number)
        {
            return number[0] < 0x80 ? Der.Write(2, number) : Der.Write(2, new byte[1], number);
        }

        private static byte[] Time(int days)
        {
            string text = DateTime.UtcNow.AddDays(days).ToString("yyMMddHHmmss'Z'", CultureInfo.InvariantCulture);
            return Der.Write(0x17, Encoding.ASCII.GetBytes(text));
        }

        private static byte[] Bytes(string hex)
        {
            return Enumerable.Range(0, hex.Length / 2)
                .Select(place => byte.Parse(hex.Substring(2 * place, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToArray();
        }
    }
}
