// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. One request, to a server or to a proxy, and its answer, read with bounds.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Tasks;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeRequest;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeWire;

namespace ansible_collections.appproxy.connector.plugins.module_utils._ProbeHttp
{
    internal static class Http
    {
        // A captive portal's word (RFC 6585, 6): no failure of what lies behind it, although it is a 5xx.
        private const int LogInFirst = 511;

        public static Answer Get(TargetSpec target, Stream stream)
        {
            return Ask(stream, target, target.Get, "Accept: */*", "Connection: close");
        }

        public static Answer Upgrade(TargetSpec target, Stream stream)
        {
            byte[] key = new byte[16];
            using (RandomNumberGenerator source = RandomNumberGenerator.Create())
                source.GetBytes(key);
            return Ask(
                stream, target, target.WebSocket, "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Key: " + Convert.ToBase64String(key), "Sec-WebSocket-Version: 13");
        }

        // Without TLS a proxy gets the request itself: its head is the proxy stage, its body the request stage.
        public static Answer GetOverProxy(Place endpoint, TargetSpec target, Wire wire, Facts facts)
        {
            facts.Set("plain", true);
            Answer answer = Ask(wire.Stream, target, "http://" + endpoint.Header(80) + target.Get, "Accept: */*", "Connection: close");
            answer.TellProxy(facts);
            if (answer.Status == 407 || (answer.Status >= 502 && answer.Status <= 504))
                throw Refusal(answer, wire, facts);
            return answer;
        }

        // Opens a tunnel, or throws where the proxy does not let the connection through. No credentials, ever.
        public static void Connect(Place endpoint, TargetSpec target, Wire wire, Facts facts)
        {
            Answer answer = Ask(wire.Stream, "CONNECT " + endpoint, "Host: " + endpoint, "User-Agent: " + target.UserAgent);
            answer.TellProxy(facts);
            if (answer.Status < 200 || answer.Status > 299)
                throw Refusal(answer, wire, facts);
            wire.Stream.PutBack(answer.Unread());
        }

        private static Answer Ask(Stream stream, TargetSpec target, string what, params string[] more)
        {
            string[] usual = { "Host: " + target.HostHeader, "User-Agent: " + target.UserAgent };
            return Ask(stream, "GET " + what, usual.Concat(more).ToArray());
        }

        private static Answer Ask(Stream stream, string what, params string[] headers)
        {
            byte[] bytes = Encoding.ASCII.GetBytes(what + " HTTP/1.1\r\n" + string.Join("\r\n", headers) + "\r\n\r\n");
            stream.Write(bytes, 0, bytes.Length);
            Answer answer = new Answer(stream);
            answer.ReadHead();
            return answer;
        }

        // Its body is evidence only: it may be late or cut short, and the refusal stands.
        private static Fault Refusal(Answer answer, Wire wire, Facts facts)
        {
            int status = answer.Status;
            bool gateway = status >= 500 && status <= 599 && status != LogInFirst;
            string code = status == 407 ? "auth_required" : gateway ? "bad_gateway" : "denied";
            wire.Refusal = new Fault(code, ("the proxy answered " + status + " " + answer.Reason).TrimEnd());
            Task reading = Threads.Start(() => answer.ReadBody(facts));
            Task.WaitAny(new Task[] { reading }, 1000);
            return wire.Refusal;
        }
    }

    internal sealed class Answer
    {
        private const int MostHead = 64 * 1024, MostBody = 512, MostHeader = 256;
        // No other character may be around a value (RFC 9110, 5.6.3).
        private static readonly char[] Blanks = { ' ', '\t' };
        private static readonly string[] KeptHeaders = (
            "server via location content-type content-length transfer-encoding date connection upgrade www-authenticate " +
            "proxy-authenticate proxy-agent x-cache x-squid-error x-ms-request-id retry-after age last-modified").Split(' ');
        private readonly Stream stream;
        private readonly Dictionary<string, List<object>> headers = new Dictionary<string, List<object>>();
        // All that has come; what lies before `at` has been taken.
        private readonly List<byte> data = new List<byte>();
        private readonly List<byte> body = new List<byte>();
        private int at;
        // Where the head began, or the chunks.
        private int headFrom;

        public Answer(Stream stream)
        {
            this.stream = stream;
        }

        public int Status { get; private set; }

        public string Reason { get; private set; }

        public byte[] Unread()
        {
            return data.Skip(at).ToArray();
        }

        public void Tell(Facts facts)
        {
            TellHead(facts);
            ReadBody(facts);
        }

        private void TellHead(Facts facts)
        {
            facts.Set("status", Status);
            facts.Set("reason", Reason);
            var kept = headers.Where(one => KeptHeaders.Contains(one.Key));
            facts.Set("headers", kept.ToDictionary(one => one.Key, one => (object)one.Value));
        }

        public void TellProxy(Facts facts)
        {
            TellHead(facts);
            facts.Set("challenges", Texts.List(Values("proxy-authenticate").SelectMany(Schemes).Distinct()));
        }

        // Scheme names of a header's challenges: it may hold several, with parameters that hold commas in quotes.
        private static IEnumerable<string> Schemes(string value)
        {
            string unquoted = string.Concat(value.Split('"').Where((part, i) => i % 2 == 0));
            return unquoted.Split(',').Select(part => part.Trim(Blanks).Split(Blanks)[0]).Where(word => word.Length > 0 && !word.Contains("="));
        }

        private IEnumerable<string> Values(string name)
        {
            List<object> values;
            return headers.TryGetValue(name, out values) ? values.Cast<string>() : new string[0];
        }

        public void ReadHead()
        {
            do
            {
                headers.Clear();
                ReadStatus(Line());
                for (string line = Line(); line.Length > 0; line = Line())
                    ReadHeader(line);
            }
            while (Status >= 100 && Status < 200 && Status != 101);
        }

        private void ReadStatus(string line)
        {
            string[] words = line.Split(new char[] { ' ' }, 3);
            int status = -1;
            bool isNumber = words.Length > 1 && int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out status);
            string version = words[0];
            bool isHttp = version.Length == 8 && version.StartsWith("HTTP/1.", StringComparison.Ordinal) && version[7] >= '0' && version[7] <= '9';
            // A number may end in NULs for the parser.
            if (!isHttp || !isNumber || words[1].Length != 3 || words[1].IndexOf('\0') >= 0)
                throw Malformed("the answer does not begin with an HTTP status line");
            Status = status;
            Reason = words.Length > 2 ? Texts.Cut(words[2].Trim(Blanks), MostHeader) : "";
        }

        private void ReadHeader(string line)
        {
            int colon = line.IndexOf(':');
            string name = line.Substring(0, Math.Max(colon, 0)).Trim(Blanks).ToLowerInvariant();
            if (name.Length == 0)
                throw Malformed("a header line without a name");
            if (!headers.ContainsKey(name))
                headers[name] = new List<object>();
            headers[name].Add(Texts.Cut(line.Substring(colon + 1).Trim(Blanks), MostHeader));
        }

        private Fault Malformed(string message)
        {
            return new Fault("malformed", message) { More = { { "first_bytes", Texts.Hex(data.Take(64)) } } };
        }

        // False at the end of the stream; where there must be more, that is an error.
        private bool Fill(bool whole)
        {
            byte[] buffer = new byte[4096];
            int got = stream.Read(buffer, 0, buffer.Length);
            data.AddRange(buffer.Take(got));
            if (!data.Zip("HTTP/", (have, want) => have == want).All(same => same))
                throw Malformed("the answer is no HTTP");
            if (got == 0 && whole)
                throw new Fault("closed", "the far end closed the connection before its answer was whole");
            return got > 0;
        }

        private string Line()
        {
            StringBuilder line = new StringBuilder();
            while (true)
            {
                if (at == data.Count)
                    Fill(true);
                if (at - headFrom >= MostHead)
                    throw Malformed("a head of more than 64 KiB");
                char one = (char)data[at++];
                if (one == '\n')
                    return line.ToString().TrimEnd('\r');
                line.Append(one);
            }
        }

        // As much of the body as is kept; its facts are there also when it breaks off.
        public void ReadBody(Facts facts)
        {
            TellBody(facts);
            if (Status == 101 || Status == 204 || Status == 304)
                return;
            string length = Values("content-length").FirstOrDefault();
            if ((Values("transfer-encoding").FirstOrDefault() ?? "").EndsWith("chunked", StringComparison.OrdinalIgnoreCase))
                ReadChunks(facts);
            else if (length == null)
                Take(long.MaxValue, false, facts);
            else
                Take(Size(length, NumberStyles.None, 18), true, facts);
        }

        private long Size(string text, NumberStyles style, int mostDigits)
        {
            long size;
            if (text.Length > mostDigits || text.IndexOf('\0') >= 0 || !long.TryParse(text, style, CultureInfo.InvariantCulture, out size))
                throw Malformed("a length that is no number");
            return size;
        }

        private void ReadChunks(Facts facts)
        {
            headFrom = at;
            for (long size = 1; size > 0 && body.Count < MostBody;)
            {
                size = Size(Line().Split(';')[0].Trim(Blanks), NumberStyles.AllowHexSpecifier, 15);
                Take(size, true, facts);
                if (size > 0 && body.Count < MostBody && Line().Length > 0)
                    throw Malformed("a chunk that is longer than its size");
            }
        }

        // Takes so many bytes, or as many as are kept. `whole`: an end before that is an error.
        private void Take(long left, bool whole, Facts facts)
        {
            while (left > 0 && body.Count < MostBody)
            {
                if (at == data.Count && !Fill(whole))
                    return;
                int take = (int)Math.Min(Math.Min(left, data.Count - at), MostBody - body.Count);
                body.AddRange(data.GetRange(at, take));
                at += take;
                left -= take;
                TellBody(facts);
            }
        }

        private void TellBody(Facts facts)
        {
            facts.Set("body", Convert.ToBase64String(body.ToArray()));
            facts.Set("body_bytes", body.Count);
        }
    }
}
