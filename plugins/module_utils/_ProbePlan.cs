// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. What is planned and what was seen: the board, which all threads share.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Threading.Tasks;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeHello;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeRequest;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeRevocation;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeWire;
using Table = System.Collections.Generic.Dictionary<string, object>;

namespace ansible_collections.appproxy.connector.plugins.module_utils._ProbePlan
{
    // After Freeze nothing changes any more, whatever still runs.
    internal sealed class Board
    {
        public readonly Request Wanted;
        public readonly Names Names = new Names();
        public readonly Sockets Sockets = new Sockets();
        public readonly List<PathRun> Runs;
        // Null where it could not be read.
        public volatile PlatformHello Platform;
        public volatile Exception Failure;
        private readonly object gate = new object();
        private readonly Dictionary<string, byte[]> certificates = new Dictionary<string, byte[]>();
        private readonly Random random = new Random();
        private Stage platformStage = new Stage(Stage.Late(), 0, new Table());
        private volatile bool frozen;

        public Board(Request wanted)
        {
            Wanted = wanted;
            Runs = wanted.Paths.Select(path => new PathRun(wanted, path)).ToList();
        }

        public bool Frozen { get { return frozen; } }

        // Does a piece of work. Its failure is told at once, because others may go on until the deadline.
        public void Guard(Action work)
        {
            try
            {
                work();
            }
            catch (Exception e)
            {
                // After the deadline sockets are closed under what still runs: what that meets is nobody's concern.
                Change(() => Failure = Failure ?? e);
            }
        }

        // False when it is too late for that.
        public bool Change(Action change)
        {
            lock (gate)
            {
                if (!frozen)
                    change();
                return !frozen;
            }
        }

        public int Jitter()
        {
            lock (random)
                return random.Next(0, 20);
        }

        public void SetPlatform(PlatformHello hello, Stage stage)
        {
            Platform = hello;
            Change(() => platformStage = stage);
        }

        // True when the stage was ok and there is still time.
        public bool Record(Attempt attempt, string name, Stage stage)
        {
            return Change(() => attempt.Ended[name] = stage) && stage.Ok;
        }

        // Fingerprints of a chain whose certificates are kept once.
        public List<object> Keep(IEnumerable<byte[]> chain)
        {
            List<object> names = new List<object>();
            using (SHA256 hash = SHA256.Create())
            {
                foreach (byte[] certificate in chain)
                {
                    string name = Texts.Hex(hash.ComputeHash(certificate));
                    Change(() => certificates[name] = certificate);
                    names.Add(name);
                }
            }
            return names;
        }

        // The second wave: what the chains of the first have named, of the path's own or, as the request has it, of all; without what
        // was planned before.
        public List<Attempt> PlanSecond(PathRun run)
        {
            IEnumerable<PathRun> of = Wanted.RevocationPaths == null ? new PathRun[] { run }
                : Wanted.RevocationPaths.Contains(run.Path.Id) ? Runs : Enumerable.Empty<PathRun>();
            IEnumerable<string> sight = of.SelectMany(one => one.FirstWave).SelectMany(one => one.ChainOf("hello").Concat(one.ChainOf("handshake"))).Distinct();
            List<Attempt> planned = RevocationUrl.Of(sight.Select(name => certificates[name]), Wanted.RevocationUserAgent)
                .Where(url => run.Asked.Add(url.Named)).Take(Wanted.RevocationLimit - run.Second.Count)
                .Select(url => new Attempt(Wanted, run.Path, url.Target, url.Url)).ToList();
            run.Second.AddRange(planned);
            return planned;
        }

        public Table Freeze()
        {
            Table seen = new Table();
            lock (gate)
            {
                frozen = true;
                // What the chains named is due also where there was no time left for it.
                Runs.ForEach(run => PlanSecond(run));
                IEnumerable<Attempt> attempts = Runs.SelectMany(run => run.FirstWave).Concat(Runs.SelectMany(run => run.SecondWave));
                seen["platform_hello"] = new Table
                {
                    { "ok", platformStage.Ok },
                    { platformStage.Ok ? "value" : "error", platformStage.Ok ? platformStage.Facts : platformStage.Fault.AsTable() }
                };
                seen["attempts"] = Texts.List(attempts.Select(attempt => attempt.AsTable()));
                seen["rechecks"] = Texts.List(Runs.SelectMany(run => run.Rechecks).Select(again => again.Value.AsRecheck(again.Key)));
                seen["certificates"] = certificates.ToDictionary(pair => pair.Key, pair => (object)Convert.ToBase64String(pair.Value));
            }
            Sockets.CloseAll();
            return seen;
        }
    }

    internal sealed class PathRun
    {
        public readonly PathSpec Path;
        // Each target at its first address; then what more there is to see.
        public readonly List<Attempt> First;
        // The stage in question, and what was tried again.
        public readonly List<KeyValuePair<string, Attempt>> Rechecks = new List<KeyValuePair<string, Attempt>>();
        public readonly List<Attempt> Second = new List<Attempt>();
        // URLs of revocation that are an attempt's already.
        public readonly HashSet<string> Asked;

        public PathRun(Request wanted, PathSpec path)
        {
            Path = path;
            First = wanted.Targets.Where(path.Takes).Select(target => new Attempt(wanted, path, target, null)).ToList();
            Asked = new HashSet<string>(First.Select(first => first.Target).Where(target => !target.Tls).Select(target => target.PlainUrl));
        }

        public IEnumerable<Attempt> FirstWave { get { return WithFurther(First); } }

        public IEnumerable<Attempt> SecondWave { get { return WithFurther(Second); } }

        private static IEnumerable<Attempt> WithFurther(IEnumerable<Attempt> attempts)
        {
            return attempts.SelectMany(first => new Attempt[] { first }.Concat(first.Further));
        }
    }

    // One endpoint over one path at one address. What changes in it changes through the board.
    internal sealed class Attempt
    {
        // What a box says that counts connections, whatever the stage.
        private static readonly string[] Losses = { "timeout", "refused", "reset", "closed", "unreachable" };
        public readonly TargetSpec Target;
        // Whom to ask for: the endpoint, or what connect_to puts in its place.
        public readonly Place Endpoint;
        // Where the TCP connection goes: the endpoint, or the proxy.
        public readonly Place Dial;
        public readonly Dictionary<string, Stage> Ended = new Dictionary<string, Stage>();
        // The same at further addresses.
        public readonly List<Attempt> Further = new List<Attempt>();
        public IPAddress[] Addresses = new IPAddress[0];
        public IPAddress Address;
        // Over a proxy the look-up of the endpoint's own name: a fact, not a need.
        public Task<IPAddress[]> OwnName;
        private readonly Request wanted;
        private readonly PathSpec path;
        private readonly string url;
        private List<string> due;

        // `url`: in the second wave, as a certificate names it.
        public Attempt(Request wanted, PathSpec path, TargetSpec target, string url)
        {
            this.wanted = wanted;
            this.path = path;
            this.url = url;
            Target = target;
            Endpoint = wanted.Redirect(target.Place);
            Dial = path.Proxy == null ? Endpoint : wanted.Redirect(path.Proxy);
            AskFor(name => true);
        }

        public bool Direct { get { return path.Proxy == null; } }

        // Of the stages that there are for the target.
        public void AskFor(Func<string, bool> wants)
        {
            due = Stage.Order.Where(name => IsFor(name) && wants(name)).ToList();
        }

        public bool Asks(string stage)
        {
            return due.Contains(stage);
        }

        private bool IsFor(string stage)
        {
            switch (stage)
            {
                case "proxy":
                    return !Direct;
                case "hello":
                case "handshake":
                    return Target.Tls;
                case "hello_sha512":
                case "hello_padded":
                    return Target.Tls && Target.Hellos.Contains((string)Stage.Further[stage]);
                case "websocket":
                    return Target.WebSocket != null;
                default:
                    return true;
            }
        }

        // At further addresses, which are only connected to at first. Where the target does not ask for them all, only after a first one
        // that failed at once, as every client goes on to the next one then.
        public void AddFurther()
        {
            bool failed = Ended.ContainsKey("connect") && !Passed("connect") && !TimedOut("connect");
            foreach (IPAddress address in Addresses.Skip(1).Where(address => Target.Addresses || failed))
            {
                Attempt further = new Attempt(wanted, path, Target, url) { Address = address };
                further.AskFor(name => name == "connect");
                Further.Add(further);
            }
        }

        // The same once more: from the start where the name was lost, else at the same address, since a name may give them in another order
        // the next time. What was seen at further addresses stays.
        public Attempt Again()
        {
            Attempt again = new Attempt(wanted, path, Target, url);
            if (Lost() != "resolve")
            {
                again.Addresses = Addresses;
                again.Address = Address;
                again.OwnName = OwnName;
                again.Ended["resolve"] = Ended["resolve"];
                again.Further.AddRange(Further);
            }
            return again;
        }

        // The stage at which it was lost in a way that a crowd of connections can be the cause of; null where it was not. Not at an
        // address beside which another one connected, which every client goes on to. Hellos bar nothing, and of a further one only its
        // connection counts; of a handshake the first try counts, too.
        public string Lost()
        {
            if (Ended.ContainsKey("connect") && !Passed("connect") && Further.Any(one => one.Passed("connect")))
                return null;
            IEnumerable<string> lost = Stage.Order.Where(name => !Stage.IsHello(name) && Codes(name).Intersect(Losses).Any());
            return lost.Concat(Stage.Order.Where(name => Stage.Further.ContainsKey(name) && Codes(name).Contains(Stage.NotConnected))).FirstOrDefault();
        }

        // Whether a second try was not lost, and nothing failed in it that had stood before: a refusal takes no good one's place.
        public bool StandsAfter(Attempt first)
        {
            return Lost() == null && !Stage.Order.Any(name => first.Passed(name) && Ended.ContainsKey(name) && !Passed(name));
        }

        // Whether it was lost by silence, or with a further hello, whose connection may have had no answer either.
        public bool GaveUp()
        {
            string lost = Lost();
            return lost != null && (Stage.Further.ContainsKey(lost) || TimedOut(lost));
        }

        // All errors that a stage had, until it stood or ended.
        private IEnumerable<string> Codes(string name)
        {
            Stage stage;
            if (!Ended.TryGetValue(name, out stage))
                yield break;
            object earlier;
            if (stage.Facts.TryGetValue("default_error", out earlier))
                yield return (string)earlier;
            if (!stage.Ok)
                yield return stage.Fault.Code;
            if (stage.Facts.TryGetValue("repeats", out earlier))
            {
                foreach (object code in (List<object>)earlier)
                    yield return (string)code;
            }
        }

        public bool Passed(string name)
        {
            return Ended.ContainsKey(name) && Ended[name].Ok;
        }

        public bool TimedOut(string name)
        {
            return Ended.ContainsKey(name) && !Passed(name) && Ended[name].Fault.Code == "timeout";
        }

        public IEnumerable<string> ChainOf(string name)
        {
            bool seen = Ended.ContainsKey(name) && Ended[name].Facts.ContainsKey("chain");
            return seen ? ((List<object>)Ended[name].Facts["chain"]).Cast<string>() : new string[0];
        }

        public Table AsTable()
        {
            return new Table
            {
                { "target", Target.Id },
                { "path", path.Id },
                { "wave", url == null ? 1 : 2 },
                { "url", url },
                { "address", Address == null ? null : Address.ToString() },
                { "port", Dial.Port },
                { "redirected_to", ReferenceEquals(Endpoint, Target.Place) ? null : Endpoint.ToString() },
                { "stages", Stages().ToDictionary(stage => stage.Key, stage => (object)stage.Value) }
            };
        }

        // How the stage ended; where an earlier one failed, that one is the answer. Of hellos the last that was made.
        public Table AsRecheck(string stage)
        {
            List<KeyValuePair<string, Table>> told = Stages().ToList();
            List<KeyValuePair<string, Table>> kind = told.FindAll(one => one.Key == stage);
            if (kind.Count == 0 && Stage.IsHello(stage))
                kind = told.FindAll(one => Stage.IsHello(one.Key));
            KeyValuePair<string, Table> seen = (kind.Count > 0 ? kind : told).Last();
            return new Table { { "path", path.Id }, { "target", Target.Id }, { "stage", seen.Key }, { "result", seen.Value } };
        }

        private IEnumerable<KeyValuePair<string, Table>> Stages()
        {
            bool answered = true;
            foreach (string name in due)
            {
                Stage stage;
                Table table = Ended.TryGetValue(name, out stage) ? stage.AsTable() : Stage.NotRun();
                // A further hello is not due after one that was not answered.
                if (stage == null && Stage.Further.ContainsKey(name) && !answered)
                    continue;
                answered &= stage == null || stage.Ok || !Stage.IsHello(name);
                if (stage != null && name == "resolve" && OwnName != null && OwnName.IsCompleted)
                    table["facts"] = new Table(stage.Facts) { { "endpoint", OwnNameFact() } };
                yield return new KeyValuePair<string, Table>(name, table);
                if (stage != null && !stage.Usable && !Stage.IsHello(name))
                    yield break;
            }
        }

        private Table OwnNameFact()
        {
            if (!OwnName.IsFaulted)
                return new Table { { "addresses", Texts.List(OwnName.Result.Select(address => address.ToString())) } };
            Fault fault = Fault.Find<Fault>(OwnName.Exception);
            return new Table { { "error", fault == null ? "server_failure" : fault.Code } };
        }
    }
}
