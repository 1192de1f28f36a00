// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. Names, connections, and the bytes of TLS: numbers and parts, records, messages.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeRequest;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;

namespace ansible_collections.appproxy.connector.plugins.module_utils._ProbeWire
{
    // Each name is looked up once, by the system's own resolver, which keeps its order of addresses.
    internal sealed class Names
    {
        private readonly Dictionary<string, Task<IPAddress[]>> known =
            new Dictionary<string, Task<IPAddress[]>>(StringComparer.OrdinalIgnoreCase);

        public Task<IPAddress[]> Find(Place place)
        {
            lock (known)
            {
                Task<IPAddress[]> found;
                if (!known.TryGetValue(place.Host, out found))
                    known[place.Host] = found = Threads.Start(() => LookUp(place));
                return found;
            }
        }

        public void Forget()
        {
            lock (known)
                known.Clear();
        }

        private static IPAddress[] LookUp(Place place)
        {
            IPAddress literal = place.Literal();
            if (literal != null)
                return new IPAddress[] { literal };
            IPAddress[] found;
            try
            {
                found = Dns.GetHostAddresses(place.Host).Distinct().ToArray();
            }
            catch (SocketException e)
            {
                SocketError error = e.SocketErrorCode;
                string code = error == SocketError.HostNotFound ? "nxdomain" : error == SocketError.NoData ? "no_data" : "server_failure";
                throw new Fault(code, Fault.Words(e));
            }
            if (found.Length == 0)
                throw new Fault("no_data", "the name has no address");
            return found;
        }
    }

    // The sockets that are open, so that the deadline can close them.
    internal sealed class Sockets
    {
        private readonly HashSet<Socket> open = new HashSet<Socket>();
        private bool closed;

        public Socket Open(AddressFamily family)
        {
            lock (open)
            {
                if (closed)
                    throw new Fault("timeout", "the deadline has passed");
                Socket socket = new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                open.Add(socket);
                return socket;
            }
        }

        public void Close(Socket socket)
        {
            lock (open)
                open.Remove(socket);
            socket.Close();
        }

        public void CloseAll()
        {
            Socket[] left;
            lock (open)
            {
                closed = true;
                left = open.ToArray();
            }
            foreach (Socket socket in left)
                Close(socket);
        }
    }

    // One TCP connection. Its socket is asynchronous, though the thread waits: closing it ends the wait, on every platform.
    internal sealed class Wire : IDisposable
    {
        // Why the proxy on the way does not let the connection through, as soon as it has said so.
        public volatile Fault Refusal;
        private readonly Sockets sockets;
        private volatile Socket socket;

        public Wire(Sockets sockets)
        {
            this.sockets = sockets;
        }

        // When it is connected.
        public WireStream Stream { get; private set; }

        public string Local { get { return ((IPEndPoint)socket.LocalEndPoint).Address.ToString(); } }

        public void Connect(IPAddress address, int port)
        {
            try
            {
                socket = sockets.Open(address.AddressFamily);
                socket.EndConnect(socket.BeginConnect(address, port, null, null));
                Stream = new WireStream(socket);
            }
            catch (SocketException e)
            {
                throw new Fault(Code(e.SocketErrorCode), Fault.Words(e));
            }
        }

        private static string Code(SocketError error)
        {
            switch (error)
            {
                case SocketError.ConnectionRefused:
                    return "refused";
                case SocketError.TimedOut:
                    return "timeout";
                case SocketError.ConnectionReset:
                case SocketError.ConnectionAborted:
                    return "reset";
                // The last two are no word of the network: this machine gives out no more sockets.
                case SocketError.AccessDenied:
                case SocketError.TooManyOpenSockets:
                case SocketError.NoBufferSpaceAvailable:
                    return "denied";
                default:
                    return "unreachable";
            }
        }

        // For a stage whose time is up: the socket is closed, never the SslStream over it.
        public Fault GiveUp()
        {
            Dispose();
            return Stage.Late();
        }

        public void Dispose()
        {
            if (socket != null)
                sockets.Close(socket);
        }
    }

    // Notes what a TLS server says in the clear, which SslStream does not tell.
    internal sealed class WireStream : NetworkStream
    {
        // Null before the TLS handshake begins.
        public ClearWords Clear;
        private byte[] early = new byte[0];

        public WireStream(Socket socket) : base(socket, false)
        {
        }

        // The far end has closed in an orderly way.
        public bool Ended { get; private set; }

        // The tick of the last byte that came, for telling the network's time from the platform's own.
        public long LastRead { get; private set; }

        // What was read beyond a proxy's answer is read again.
        public void PutBack(byte[] bytes)
        {
            early = bytes;
        }

        public override int Read(byte[] buffer, int offset, int size)
        {
            int taken = Math.Min(early.Length, size);
            if (taken > 0)
            {
                Array.Copy(early, 0, buffer, offset, taken);
                early = early.Skip(taken).ToArray();
            }
            else if (size > 0)
            {
                taken = Socket.EndReceive(Socket.BeginReceive(buffer, offset, size, SocketFlags.None, null, null));
                Ended = taken == 0;
            }
            LastRead = Stopwatch.GetTimestamp();
            if (Clear != null)
                Clear.Feed(buffer.Skip(offset).Take(taken));
            return taken;
        }
    }

    // Reads numbers and parts out of bytes and never beyond them: too short is a malformed fault.
    internal sealed class Reader
    {
        private readonly byte[] data;
        private int at;

        public Reader(byte[] data)
        {
            this.data = data;
        }

        public int Left { get { return data.Length - at; } }

        public byte[] Bytes(int length)
        {
            if (length < 0 || length > Left)
                throw Fault.Malformed("a length goes beyond the end of its message");
            byte[] bytes = new byte[length];
            Array.Copy(data, at, bytes, 0, length);
            at += length;
            return bytes;
        }

        public int Number(int width)
        {
            return Bytes(width).Aggregate(0, (number, next) => number << 8 | next);
        }

        // A part that begins with its own length, of so many bytes.
        public Reader Vector(int width)
        {
            return new Reader(Bytes(Number(width)));
        }

        public byte[] Rest()
        {
            return Bytes(Left);
        }

        public List<int> Numbers(int width)
        {
            return Until(reader => reader.Number(width));
        }

        // Takes one after the other until the end.
        public List<T> Until<T>(Func<Reader, T> take)
        {
            List<T> all = new List<T>();
            while (Left > 0)
                all.Add(take(this));
            return all;
        }
    }

    internal sealed class Writer
    {
        private readonly List<byte> data = new List<byte>();

        public Writer Number(int number, int width)
        {
            for (int shift = 8 * (width - 1); shift >= 0; shift -= 8)
                data.Add((byte)(number >> shift));
            return this;
        }

        public Writer Numbers(IEnumerable<int> numbers, int width)
        {
            foreach (int number in numbers)
                Number(number, width);
            return this;
        }

        public Writer Bytes(byte[] bytes)
        {
            data.AddRange(bytes);
            return this;
        }

        public Writer Vector(int width, byte[] bytes)
        {
            return Number(bytes.Length, width).Bytes(bytes);
        }

        public byte[] ToArray()
        {
            return data.ToArray();
        }
    }

    // A record or a handshake message.
    internal struct Part
    {
        public int Type;
        public byte[] Body;
    }

    // Cuts TLS into records, and their content into handshake messages, as the bytes come.
    internal sealed class Records
    {
        public const int Alert = 21, Handshake = 22;
        private const int MostRecord = 16384 + 2048, MostMessage = 256 * 1024;
        private readonly List<byte> records = new List<byte>();
        private readonly List<byte> messages = new List<byte>();

        public void Feed(IEnumerable<byte> bytes)
        {
            records.AddRange(bytes);
        }

        public void FeedMessages(byte[] body)
        {
            messages.AddRange(body);
        }

        // False while there is more to come.
        public bool Next(out Part record)
        {
            record = new Part();
            if (records.Count < 5)
                return false;
            int length = records[3] << 8 | records[4];
            if (records[0] < 20 || records[0] > 23 || records[1] != 3 || length > MostRecord || length == 0)
                throw Fault.Malformed("no TLS record where one should begin");
            return Take(records, 5, length, out record);
        }

        public bool NextMessage(out Part message)
        {
            message = new Part();
            if (messages.Count < 4)
                return false;
            int length = messages[1] << 16 | messages[2] << 8 | messages[3];
            if (length > MostMessage)
                throw Fault.Malformed("a message longer than any hello");
            return Take(messages, 4, length, out message);
        }

        private static bool Take(List<byte> from, int header, int length, out Part part)
        {
            part = new Part();
            if (from.Count < header + length)
                return false;
            part = new Part { Type = from[0], Body = from.GetRange(header, length).ToArray() };
            from.RemoveRange(0, header + length);
            return true;
        }
    }

    // What a server says in the clear: a fatal alert, and its hello's cipher suite. What is no TLS record ends the looking.
    internal sealed class ClearWords
    {
        private readonly Records records = new Records();
        private bool over;

        // Null without one.
        public Fault Alert { get; private set; }

        // The server has begun to encrypt: an alert may have come that nobody can read here.
        public bool Encrypted { get; private set; }

        public int? Suite { get; private set; }

        public void Feed(IEnumerable<byte> bytes)
        {
            if (over)
                return;
            try
            {
                records.Feed(bytes);
                Part part;
                while (!over && records.Next(out part))
                    Take(part);
            }
            catch (Fault)
            {
                over = true;
            }
        }

        private void Take(Part record)
        {
            if (record.Type == Records.Alert)
            {
                if (record.Body.Length == 2 && record.Body[0] == 2)
                    Alert = Fault.Alert(record.Body[1], "the server sent alert " + record.Body[1]);
            }
            else if (record.Type == Records.Handshake)
            {
                // After the suite nothing is looked for any more: a server that never ends would fill the memory.
                if (Suite != null)
                    return;
                records.FeedMessages(record.Body);
                Part message;
                while (Suite == null && records.NextMessage(out message))
                    Suite = SuiteOf(message);
            }
            else
                over = Encrypted = true;
        }

        private static int? SuiteOf(Part message)
        {
            if (message.Type != 2)
                return null;
            Reader hello = new Reader(message.Body);
            hello.Bytes(2 + 32);
            hello.Vector(1);
            return hello.Number(2);
        }
    }
}
