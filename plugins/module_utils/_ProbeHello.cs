// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. The hello by hand: the platform's own ClientHello, one written after it, and a
// server's answer to that in the clear.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Tasks;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeWire;
using Table = System.Collections.Generic.Dictionary<string, object>;

namespace ansible_collections.appproxy.connector.plugins.module_utils._ProbeHello
{
    // The ClientHello that the platform's TLS client really sends, read from a loopback socket of our own.
    internal sealed class PlatformHello
    {
        public const int VersionsType = 43;
        private const int ServerNameType = 0, GroupsType = 10, PointFormatsType = 11, SignatureAlgorithmsType = 13;
        // A record of this size does not fit into one packet of an Ethernet.
        private const int PaddedBytes = 2000;
        private const int Padding = 21, EncryptThenMac = 22, ExtendedMasterSecret = 23, SessionTicket = 35, RenegotiationInfo = 0xff01;
        // RSA, RSA-PSS and ECDSA, each with SHA-512.
        private static readonly int[] Sha512 = { 0x0601, 0x0806, 0x0603 };
        private List<int> versions, suites;
        private List<int> groups = new List<int>(), signatureAlgorithms = new List<int>(), extensions = new List<int>();
        private byte[] pointFormats = { 1, 0 };

        // What Windows Server sends by default, for where the platform's own hello is not to be had.
        private static readonly PlatformHello Recorded = new PlatformHello
        {
            suites = new List<int>
            {
                0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027,
                0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f
            },
            groups = new List<int> { 29, 23, 24 },
            signatureAlgorithms = new List<int>
            {
                0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0202, 0x0601, 0x0603
            },
            extensions = new List<int>
            {
                ServerNameType, GroupsType, PointFormatsType, SignatureAlgorithmsType, SessionTicket, ExtendedMasterSecret,
                RenegotiationInfo
            }
        };

        // Null where it could not be read; the stage says why.
        public static PlatformHello Look(Sockets sockets, int ms, out Stage stage)
        {
            PlatformHello hello = null;
            TcpListener listener = new TcpListener(IPAddress.Loopback, 0);
            using (Wire client = new Wire(sockets))
            {
                stage = Stage.Run(ms, "closed", client.GiveUp, facts => hello = Read(listener, client, facts));
            }
            listener.Stop();
            return stage.Ok ? hello : null;
        }

        private static PlatformHello Read(TcpListener listener, Wire client, Facts facts)
        {
            listener.Start(1);
            client.Connect(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port);
            using (Socket server = listener.AcceptSocket())
            {
                Task asking = Threads.Start(() => Ask(client));
                Records records = new Records();
                byte[] buffer = new byte[16384];
                int bytes = 0;
                Part message;
                while (!records.NextMessage(out message))
                {
                    int got = server.Receive(buffer);
                    if (got == 0)
                    {
                        asking.Wait();
                        throw Fault.Malformed("a hello that is not whole");
                    }
                    bytes += got;
                    records.Feed(buffer.Take(got));
                    Part record;
                    while (records.Next(out record))
                        records.FeedMessages(record.Body);
                }
                PlatformHello hello = Parse(new Reader(message.Body));
                facts.Set("versions", Texts.List(hello.versions));
                facts.Set("suites", Texts.List(hello.suites));
                facts.Set("groups", Texts.List(hello.groups));
                facts.Set("signature_algorithms", Texts.List(hello.signatureAlgorithms));
                facts.Set("extensions", Texts.List(hello.extensions));
                facts.Set("bytes", bytes);
                return hello;
            }
        }

        // Where the platform does not even begin, its own words are better than a timeout.
        private static void Ask(Wire client)
        {
            try
            {
                // The name is reserved, and nobody looks it up. 0: the platform's own choice.
                new SslStream(client.Stream, true).AuthenticateAsClient("platform-hello.invalid", null, (SslProtocols)0, false);
            }
            catch (Exception e)
            {
                throw new Fault("protocol", Fault.Words(e));
            }
            finally
            {
                client.Dispose();
            }
        }

        private static PlatformHello Parse(Reader body)
        {
            PlatformHello hello = new PlatformHello();
            hello.versions = new List<int> { body.Number(2) };
            body.Bytes(32);
            body.Vector(1);
            hello.suites = Known(body.Vector(2));
            body.Vector(1);
            foreach (Part extension in Extensions(body).Where(one => !IsGrease(one.Type)))
            {
                hello.extensions.Add(extension.Type);
                Reader content = new Reader(extension.Body);
                if (extension.Type == GroupsType)
                    hello.groups = Known(content.Vector(2));
                else if (extension.Type == SignatureAlgorithmsType)
                    hello.signatureAlgorithms = Known(content.Vector(2));
                else if (extension.Type == VersionsType)
                    hello.versions = Known(content.Vector(1));
                else if (extension.Type == PointFormatsType)
                    hello.pointFormats = content.Rest();
            }
            return hello;
        }

        // What a ClientHello or a ServerHello ends with.
        public static List<Part> Extensions(Reader hello)
        {
            Reader all = hello.Left > 0 ? hello.Vector(2) : hello;
            return all.Until(reader => new Part { Type = reader.Number(2), Body = reader.Vector(2).Rest() });
        }

        private static List<int> Known(Reader numbers)
        {
            return numbers.Numbers(2).Where(number => !IsGrease(number)).ToList();
        }

        private static bool IsGrease(int number)
        {
            return (number & 0x0f0f) == 0x0a0a && number >> 8 == (number & 0xff);
        }

        private IEnumerable<int> Tls12Suites()
        {
            return suites.Where(suite => suite >> 8 != 0x13);
        }

        // After the platform's own hello if it has something for TLS 1.2, else after the recorded one. `variant` is empty
        // for the usual one, or one of Stage.Further.
        public static byte[] Write(PlatformHello platform, string serverName, string variant, out string template)
        {
            // What only says a word of renegotiation (0x00ff) is no suite.
            bool own = platform != null && platform.Tls12Suites().Any(suite => suite != 0xff);
            template = own ? "platform" : "recorded";
            return (own ? platform : Recorded).Write(serverName, variant);
        }

        // A TLS 1.2 hello that looks like the platform's own, as one record.
        private byte[] Write(string serverName, string variant)
        {
            // Added where they are missing: the path can be looked at although the platform does not offer them.
            bool sha512 = variant == "sha512";
            IEnumerable<int> algorithms = sha512 ? Sha512.Union(signatureAlgorithms) : signatureAlgorithms;
            IEnumerable<int> order = sha512 ? extensions.Union(new int[] { SignatureAlgorithmsType }) : extensions;
            byte[] random = new byte[32];
            using (RandomNumberGenerator source = RandomNumberGenerator.Create())
                source.GetBytes(random);
            // Curves up to x448 and the finite fields of RFC 7919; the newer groups are for TLS 1.3 alone.
            IEnumerable<int> oldGroups = groups.Where(group => group <= 30 || (group >= 0x100 && group <= 0x104));
            Dictionary<int, byte[]> contents = new Dictionary<int, byte[]>
            {
                { GroupsType, new Writer().Vector(2, Pairs(oldGroups)).ToArray() },
                { SignatureAlgorithmsType, new Writer().Vector(2, Pairs(algorithms)).ToArray() },
                { PointFormatsType, pointFormats },
                { RenegotiationInfo, new byte[1] },
                { EncryptThenMac, new byte[0] },
                { ExtendedMasterSecret, new byte[0] },
                { SessionTicket, new byte[0] }
            };
            if (serverName != null)
            {
                byte[] name = new Writer().Number(0, 1).Vector(2, Encoding.ASCII.GetBytes(serverName)).ToArray();
                contents[ServerNameType] = new Writer().Vector(2, name).ToArray();
            }
            // The others a TLS 1.2 hello does without.
            Writer all = new Writer();
            foreach (int type in order.Where(contents.ContainsKey))
                all.Number(type, 2).Vector(2, contents[type]);
            byte[] record = Record(random, all.ToArray());
            if (variant != "padded")
                return record;
            byte[] padding = new byte[Math.Max(0, PaddedBytes - record.Length - 4)];
            return Record(random, all.Number(Padding, 2).Vector(2, padding).ToArray());
        }

        private byte[] Record(byte[] random, byte[] contents)
        {
            Writer body = new Writer().Number(0x0303, 2).Bytes(random).Number(0, 1);
            body.Vector(2, Pairs(Tls12Suites())).Vector(1, new byte[1]).Vector(2, contents);
            byte[] message = new Writer().Number(1, 1).Vector(3, body.ToArray()).ToArray();
            return new Writer().Number(Records.Handshake, 1).Number(0x0301, 2).Vector(2, message).ToArray();
        }

        private static byte[] Pairs(IEnumerable<int> numbers)
        {
            return new Writer().Numbers(numbers, 2).ToArray();
        }
    }

    // Reads a server's answer to a TLS 1.2 hello in the clear, as far as ServerHelloDone. Everything is bounded.
    internal sealed class ServerFlight
    {
        private const int MostBytes = 256 * 1024, MostWarnings = 16;
        // Hello, certificate, its status, key exchange, request, done: each at most once, and the first two always.
        private static readonly List<int> Turns = new List<int> { 2, 11, 22, 12, 13, 14 };
        private readonly Action<Reader>[] takers;
        private readonly Func<IEnumerable<byte[]>, List<object>> keep;
        private readonly Records records = new Records();
        private readonly List<object> warnings = new List<object>();
        private Facts facts;
        // Read by another thread when the time is up; assigned whole.
        private volatile byte[] first = new byte[0];
        private volatile int total;
        private int version, suite;
        private int last = -1;
        private bool keyed, asked;

        // `keep` takes a chain and gives its fingerprints.
        public ServerFlight(Func<IEnumerable<byte[]>, List<object>> keep)
        {
            this.keep = keep;
            Action<Reader> passOver = status => status.Rest();
            takers = new Action<Reader>[] { ServerHello, Certificates, passOver, KeyExchange, CertificateRequest, HelloDone };
        }

        public bool Done { get; private set; }

        public void Read(byte[] hello, WireStream stream, Facts seen)
        {
            Begin(seen);
            stream.Write(hello, 0, hello.Length);
            byte[] buffer = new byte[16384];
            while (!Done)
            {
                int got = stream.Read(buffer, 0, buffer.Length);
                if (got == 0)
                    throw Closed();
                Feed(buffer, got);
            }
        }

        public void Begin(Facts seen)
        {
            facts = seen;
            facts.Set("bytes", 0);
            facts.Set("warnings", new List<object>());
        }

        // The stage's time is up: nothing came, or something and then silence.
        public Fault Silence()
        {
            if (IsNotTls())
                return NotTls();
            if (total == 0)
                return Stage.Late();
            return new Fault("stalled", total + " bytes came, then nothing more") { More = { { "bytes", total } } };
        }

        public Fault Closed()
        {
            return IsNotTls() ? NotTls() : new Fault("closed", "the server closed the connection before its hello was done");
        }

        private bool IsNotTls()
        {
            byte[] now = first;
            return (now.Length > 0 && (now[0] < 20 || now[0] > 23)) || (now.Length > 1 && now[1] != 3);
        }

        private Fault NotTls()
        {
            return new Fault("not_tls", "the answer is no TLS record") { More = { { "first_bytes", Texts.Hex(first) } } };
        }

        public void Feed(byte[] bytes, int count)
        {
            total += count;
            facts.Set("bytes", total);
            first = first.Concat(bytes.Take(count)).Take(64).ToArray();
            if (first.Length >= 5 && IsNotTls())
                throw NotTls();
            records.Feed(bytes.Take(count));
            Part record;
            while (!Done && records.Next(out record))
                Take(record);
            if (!Done && total > MostBytes)
                throw Fault.Malformed("more bytes than a server's hello may have");
        }

        private void Take(Part record)
        {
            if (record.Type == Records.Alert)
                Alert(record.Body);
            else if (record.Type == Records.Handshake)
            {
                records.FeedMessages(record.Body);
                Part message;
                while (!Done && records.NextMessage(out message))
                    Message(message.Type, new Reader(message.Body));
            }
            else
                throw Fault.Malformed("a record that has no place before the keys are agreed");
        }

        private void Alert(byte[] body)
        {
            if (body.Length != 2 || body[0] < 1 || body[0] > 2)
                throw Fault.Malformed("an alert that is none");
            if (body[0] == 2)
                throw Fault.Alert(body[1], "the server sent alert " + body[1]);
            if (warnings.Count == MostWarnings)
                throw Fault.Malformed("warnings without an end");
            warnings.Add(new List<object> { 1, (int)body[1] });
            facts.Set("warnings", warnings.ToList());
        }

        private void Message(int type, Reader body)
        {
            if (type == 0)
                return;
            int turn = Turns.IndexOf(type);
            if (turn <= last || (last < 1 && turn != last + 1))
                throw Fault.Malformed("handshake message " + type + " out of order");
            last = turn;
            takers[turn](body);
        }

        private void ServerHello(Reader body)
        {
            version = body.Number(2);
            byte[] random = body.Bytes(32);
            body.Vector(1);
            suite = body.Number(2);
            bool compressed = body.Number(1) != 0;
            bool speaksTls13 = PlatformHello.Extensions(body).Any(extension => extension.Type == PlatformHello.VersionsType);
            if (version < 0x0300 || version > 0x0303 || compressed || speaksTls13)
                throw Fault.Malformed("a version or a compression that was not offered");
            facts.Set("version", new string[] { "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2" }[version - 0x0300]);
            facts.Set("cipher", suite);
            facts.Set("downgrade_sentinel", random.Skip(24).SequenceEqual(new byte[] { 0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 1 }));
        }

        private void Certificates(Reader body)
        {
            List<byte[]> chain = body.Vector(3).Until(list => list.Vector(3).Rest());
            if (chain.Count == 0 || chain.Any(one => one.Length == 0))
                throw Fault.Malformed("a Certificate message without a certificate");
            facts.Set("chain", keep(chain));
        }

        private void KeyExchange(Reader body)
        {
            keyed = true;
            string kind = Suites.KeyExchange(suite);
            int? group = null;
            if (kind == "ecdhe" && body.Number(1) == 3)
            {
                group = body.Number(2);
                body.Vector(1);
            }
            else if (kind == "dhe")
            {
                // Prime, generator, public value.
                body.Vector(2);
                body.Vector(2);
                body.Vector(2);
            }
            else
                throw Fault.Malformed("a ServerKeyExchange of another kind than the cipher suite's");
            // Before TLS 1.2 the algorithm is not named.
            int? algorithm = version >= 0x0303 ? body.Number(2) : (int?)null;
            body.Vector(2);
            TellKeyExchange(kind, group, algorithm);
        }

        private void TellKeyExchange(string kind, int? group, int? signatureAlgorithm)
        {
            facts.Set("key_exchange", new Table { { "kind", kind }, { "group", group }, { "signature_algorithm", signatureAlgorithm } });
        }

        private void CertificateRequest(Reader body)
        {
            asked = true;
            Table request = new Table();
            request["types"] = Texts.List(body.Vector(1).Numbers(1));
            request["signature_algorithms"] = version >= 0x0303 ? Texts.List(body.Vector(2).Numbers(2)) : new List<object>();
            request["issuers"] = body.Vector(2).Until(issuers => issuers.Vector(2)).Count;
            facts.Set("certificate_request", request);
        }

        private void HelloDone(Reader body)
        {
            string kind = Suites.KeyExchange(suite);
            if (body.Left > 0 || (!keyed && kind != "rsa"))
                throw Fault.Malformed("a ServerHelloDone with a body, or no ServerKeyExchange though the cipher suite needs one");
            if (!keyed)
                TellKeyExchange(kind, null, null);
            if (!asked)
                facts.Set("certificate_request", null);
            Done = true;
        }
    }

    // The registry's cipher suites that a Windows or OpenSSL client offers.
    internal static class Suites
    {
        // By what their names begin with; the rest of the name follows the number.
        private static readonly string[] Registry =
        {
            "TLS_: 1301 AES_128_GCM_SHA256,1302 AES_256_GCM_SHA384,1303 CHACHA20_POLY1305_SHA256",
            "TLS_RSA_WITH_: 0004 RC4_128_MD5,0005 RC4_128_SHA,000A 3DES_EDE_CBC_SHA,002F AES_128_CBC_SHA,0035 AES_256_CBC_SHA," +
                "003B NULL_SHA256,003C AES_128_CBC_SHA256,003D AES_256_CBC_SHA256,009C AES_128_GCM_SHA256,009D AES_256_GCM_SHA384",
            "TLS_DHE_RSA_WITH_: 0016 3DES_EDE_CBC_SHA,0033 AES_128_CBC_SHA,0039 AES_256_CBC_SHA,0067 AES_128_CBC_SHA256," +
                "006B AES_256_CBC_SHA256,009E AES_128_GCM_SHA256,009F AES_256_GCM_SHA384,CCAA CHACHA20_POLY1305_SHA256",
            "TLS_DHE_DSS_WITH_: 0032 AES_128_CBC_SHA,0038 AES_256_CBC_SHA,0040 AES_128_CBC_SHA256,006A AES_256_CBC_SHA256," +
                "00A2 AES_128_GCM_SHA256,00A3 AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_: C008 3DES_EDE_CBC_SHA,C009 AES_128_CBC_SHA,C00A AES_256_CBC_SHA,C023 AES_128_CBC_SHA256," +
                "C024 AES_256_CBC_SHA384,C02B AES_128_GCM_SHA256,C02C AES_256_GCM_SHA384,CCA9 CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_RSA_WITH_: C012 3DES_EDE_CBC_SHA,C013 AES_128_CBC_SHA,C014 AES_256_CBC_SHA,C027 AES_128_CBC_SHA256," +
                "C028 AES_256_CBC_SHA384,C02F AES_128_GCM_SHA256,C030 AES_256_GCM_SHA384,CCA8 CHACHA20_POLY1305_SHA256"
        };
        private static readonly Dictionary<int, string> Names =
            Registry.SelectMany(line => Parse(line)).ToDictionary(pair => pair.Key, pair => pair.Value);

        private static IEnumerable<KeyValuePair<int, string>> Parse(string line)
        {
            string[] parts = line.Split(':');
            return parts[1].Trim().Split(',').Select(suite => new KeyValuePair<int, string>(
                int.Parse(suite.Substring(0, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture), parts[0] + suite.Substring(5)));
        }

        public static string Name(int suite)
        {
            string name;
            return Names.TryGetValue(suite, out name) ? name : "0x" + Texts.Hex(suite, 4);
        }

        // ecdhe, dhe or rsa.
        public static string KeyExchange(int suite)
        {
            string name = Name(suite);
            string kind = name.Contains("_WITH_") ? name.Split('_')[1].ToLowerInvariant() : null;
            if (kind == null)
                throw Fault.Malformed("the key exchange of cipher suite " + name + " is not known");
            return kind;
        }
    }
}
