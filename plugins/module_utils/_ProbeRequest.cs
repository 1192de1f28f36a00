// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. The request as request.schema.json has it, with its defaults. What is wrong with it
// is an ArgumentException that names the key, as in request.targets[3].port.

using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Net;
using System.Text.RegularExpressions;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;

namespace ansible_collections.appproxy.connector.plugins.module_utils._ProbeRequest
{
    // A host and a port; the host without brackets.
    internal sealed class Place
    {
        public readonly string Host;
        public readonly int Port;

        public Place(string host, int port)
        {
            Host = host.Trim('[', ']');
            Port = port;
        }

        // host:port, an IPv6 address in brackets. Null when it is not that.
        public static Place Parse(string text)
        {
            int colon = text.LastIndexOf(':');
            int port;
            bool isNumber = int.TryParse(text.Substring(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port);
            if (colon < 1 || !isNumber || text.Length - colon > 6 || port < 1 || port > 65535)
                return null;
            Place place = new Place(text.Substring(0, colon), port);
            return place.IsSound() && place.Bracketed().Length == colon ? place : null;
        }

        // Fit for a request line, a Host header and SNI.
        public bool IsSound()
        {
            if (Host.IndexOf(':') >= 0)
                return Literal() != null;
            bool plain = Texts.IsPlain(Host) && Host.IndexOfAny("/@[]".ToCharArray()) < 0;
            return plain && Host.Length <= 253 && Host.TrimEnd('.').Split('.').All(label => label.Length >= 1 && label.Length <= 63);
        }

        // Null when the host is a name. Short forms such as 10.1 are names here: the parser would guess.
        public IPAddress Literal()
        {
            IPAddress address;
            bool looks = Host.IndexOf(':') >= 0 || (Host.Split('.').Length == 4 && Host.All(c => c == '.' || (c >= '0' && c <= '9')));
            return looks && IPAddress.TryParse(Host, out address) ? address : null;
        }

        private string Bracketed()
        {
            return Host.IndexOf(':') >= 0 ? "[" + Host + "]" : Host;
        }

        // As a Host header says it.
        public string Header(int usualPort)
        {
            return Port == usualPort ? Bracketed() : ToString();
        }

        public override string ToString()
        {
            return Bracketed() + ":" + Port;
        }
    }

    internal sealed class PathSpec
    {
        public string Id;
        // Null is direct.
        public Place Proxy;
        // Ids of the targets that go over it. Null: all.
        public HashSet<string> Targets;

        public bool Takes(TargetSpec target)
        {
            return Targets == null || Targets.Contains(target.Id);
        }
    }

    internal sealed class TargetSpec
    {
        public string Id, Get, WebSocket, UserAgent;
        public Place Place;
        public bool Tls, Addresses;
        // Further ones.
        public HashSet<string> Hellos = new HashSet<string>();

        // The name that the certificate must be for.
        public string TlsName { get { return Place.Host.TrimEnd('.'); } }

        public string HostHeader { get { return Place.Header(Tls ? 443 : 80); } }

        // What counts as the same URL.
        public string PlainUrl { get { return Place.ToString().ToLowerInvariant() + Get; } }
    }

    internal sealed class Request
    {
        private static readonly Dictionary<string, int> UsualMs = new Dictionary<string, int>
        {
            { "resolve", 5000 }, { "connect", 6000 }, { "proxy", 6000 }, { "hello", 5000 }, { "handshake", 7000 }, { "request", 6000 }
        };
        // By stage.
        public readonly Dictionary<string, int> Ms;
        public readonly int DeadlineMs, Parallel, RevocationLimit;
        public readonly string RevocationUserAgent;
        public readonly List<PathSpec> Paths;
        public readonly List<TargetSpec> Targets;
        // Path ids of the second wave, for the chains that all paths have seen. Null: each path for its own.
        public readonly HashSet<string> RevocationPaths;
        private readonly Dictionary<string, Place> connectTo = new Dictionary<string, Place>(StringComparer.OrdinalIgnoreCase);

        public Request(IDictionary table)
        {
            Options top = Top(table);
            top.Number("schema", null, 1, 1);
            DeadlineMs = Deadline(top);
            Parallel = top.Number("parallel", 16, 1, 64);
            Options timeouts = top.Inner("timeouts_ms", UsualMs.Keys.ToArray());
            Ms = UsualMs.ToDictionary(usual => usual.Key, usual => timeouts.Number(usual.Key, usual.Value, 100, int.MaxValue));
            Ms["websocket"] = Ms["request"];
            foreach (string further in Stage.Further.Keys)
                Ms[further] = Ms["hello"];
            Options revocation = top.Inner("revocation", "limit", "user_agent", "paths");
            RevocationPaths = revocation.Has("paths") ? revocation.Texts("paths") : null;
            RevocationLimit = revocation.Number("limit", 24, 0, int.MaxValue);
            RevocationUserAgent = revocation.Text("user_agent", "Microsoft-CryptoAPI/10.0", Options.Header);
            Options places = top.Inner("connect_to");
            foreach (string from in places.Keys)
                connectTo[Need(places, from, from).ToString()] = Need(places, from, places.Text(from, null, Options.NotEmpty));
            Paths = top.List("paths", 1, "id", "ways", "targets").Select(ReadPath).ToList();
            Targets = top.List("targets", 0, "id", "host", "port", "tls", "get", "websocket", "user_agent", "addresses", "hellos", "identities")
                .Select(ReadTarget).ToList();
        }

        // The deadline alone, while the paths may not be known yet.
        public static int Deadline(IDictionary table)
        {
            return Deadline(Top(table));
        }

        private static int Deadline(Options top)
        {
            return top.Number("deadline_ms", 20000, 1000, 600000);
        }

        private static Options Top(IDictionary table)
        {
            return new Options(
                "request", table, "schema", "deadline_ms", "timeouts_ms", "parallel", "paths", "targets", "connect_to", "revocation",
                // Of the server itself: connector_info.ps1 reads them.
                "detect", "host", "rehearse_client_certificate");
        }

        private static Place Need(Options places, string key, string text)
        {
            Place place = Place.Parse(text);
            if (place == null)
                throw places.Bad(key, "must be host:port with address:port, an IPv6 address in brackets");
            return place;
        }

        private static PathSpec ReadPath(Options item)
        {
            PathSpec path = new PathSpec { Id = item.Text("id", null, Options.NotEmpty) };
            path.Targets = item.Has("targets") ? item.Texts("targets") : null;
            // The first is taken, and all must be sound.
            foreach (string way in item.Items("ways", 1).Reverse().Select(way => way as string ?? ""))
            {
                path.Proxy = way.StartsWith("http://", StringComparison.Ordinal) ? Place.Parse(way.Substring(7)) : null;
                if (way != "direct" && path.Proxy == null)
                    throw item.Bad("ways", "must hold 'direct' and 'http://host:port' only");
            }
            return path;
        }

        private static TargetSpec ReadTarget(Options item)
        {
            TargetSpec target = new TargetSpec
            {
                Id = item.Text("id", null, Options.NotEmpty),
                Place = new Place(item.Text("host", null, Options.NotEmpty), item.Number("port", null, 1, 65535)),
                Tls = item.Flag("tls", null),
                Get = item.Text("get", "/", Options.UrlPath),
                WebSocket = item.Has("websocket") ? item.Text("websocket", null, Options.UrlPath) : null,
                UserAgent = item.Text("user_agent", "appproxy.connector", Options.Header),
                Addresses = item.Flag("addresses", true),
                Hellos = item.Texts("hellos", "sha512", "padded")
            };
            item.Texts("identities", "installing_user", "network_service", "local_system", "windows", "session");
            if (!target.Place.IsSound())
                throw item.Bad("host", "must be a host name or an address, without a port");
            return target;
        }

        // The place itself (the same object) where connect_to has nothing for it.
        public Place Redirect(Place place)
        {
            Place other;
            return connectTo.TryGetValue(place.ToString(), out other) ? other : place;
        }
    }

    // Typed reading of one table of the request.
    internal sealed class Options
    {
        // What a text must look like.
        public const string NotEmpty = @"^.+\z", Header = @"^[ -~]*\z", UrlPath = @"^/[!-~]*\z";
        private readonly string name;
        private readonly IDictionary table;

        // Without allowed keys any key is allowed.
        public Options(string name, object table, params string[] allowed)
        {
            this.name = name;
            this.table = table as IDictionary;
            if (this.table == null)
                throw new ArgumentException(name + ": must be a dictionary");
            string unknown = allowed.Length == 0 ? null : Keys.FirstOrDefault(key => !allowed.Contains(key));
            if (unknown != null)
                throw Bad(unknown, "is not known; known are: " + string.Join(", ", allowed));
        }

        public IEnumerable<string> Keys { get { return table.Keys.Cast<string>(); } }

        public ArgumentException Bad(string key, string why)
        {
            return new ArgumentException(name + "." + key + ": " + why);
        }

        // PowerShell may have wrapped what came out of JSON.
        private static object Plain(object value)
        {
            PSObject wrapped = value as PSObject;
            return wrapped == null ? value : wrapped.BaseObject;
        }

        private object Get(string key, object usual)
        {
            return table.Contains(key) ? Plain(table[key]) : usual;
        }

        // A null counts as absent only where the schema allows it, which is for websocket.
        public bool Has(string key)
        {
            return Get(key, null) != null;
        }

        // Here and below: without a usual value the key is required.
        public int Number(string key, int? usual, int least, int most)
        {
            object value = Get(key, usual);
            long number = value is int ? (int)value : value is long ? (long)value : long.MinValue;
            if (number < least || number > most)
                throw Bad(key, "must be a whole number from " + least + " to " + most);
            return (int)number;
        }

        public bool Flag(string key, bool? usual)
        {
            bool? value = Get(key, usual) as bool?;
            if (value == null)
                throw Bad(key, "must be true or false");
            return value.Value;
        }

        public string Text(string key, string usual, string pattern)
        {
            string value = Get(key, usual) as string;
            if (value == null || !Regex.IsMatch(value, pattern))
                throw Bad(key, "must be a text like " + pattern);
            return value;
        }

        // Empty where the key is missing.
        public HashSet<string> Texts(string key, params string[] allowed)
        {
            List<string> texts = Has(key) ? Items(key, 0).Select(one => one as string).ToList() : new List<string>();
            if (texts.Any(one => one == null || (allowed.Length > 0 && !allowed.Contains(one))))
                throw Bad(key, "must be a list of texts" + (allowed.Length > 0 ? ", each of: " + string.Join(", ", allowed) : ""));
            return new HashSet<string>(texts);
        }

        public Options Inner(string key, params string[] allowed)
        {
            return new Options(name + "." + key, Get(key, new Hashtable()), allowed);
        }

        public IEnumerable<object> Items(string key, int least)
        {
            IList list = Get(key, null) as IList;
            if (list == null || list.Count < least)
                throw Bad(key, "must be a list of " + least + " or more");
            return list.Cast<object>().Select(Plain);
        }

        public IEnumerable<Options> List(string key, int least, params string[] allowed)
        {
            return Items(key, least).Select((item, i) => new Options(name + "." + key + "[" + i + "]", item, allowed));
        }
    }
}
