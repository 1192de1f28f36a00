// Copyright (c) 2026 appproxy.connector contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// FOR INTERNAL COLLECTION USE ONLY. The http URLs that certificates name: revocation lists, issuers, OCSP responders.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeRequest;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeStage;
using ansible_collections.appproxy.connector.plugins.module_utils._ProbeWire;

namespace ansible_collections.appproxy.connector.plugins.module_utils._ProbeRevocation
{
    // An http URL as a certificate names it, and what to ask for there.
    internal sealed class RevocationUrl
    {
        public string Url;
        public TargetSpec Target;
        // The target's URL before an OCSP request is put in: what counts as the same URL.
        public string Named;

        // Characters of a URL that is asked for: servers read no longer ones.
        private const int MostUrl = 2048;

        // Null when it is not an http URL that can be asked for.
        public static RevocationUrl Parse(string url, string userAgent)
        {
            if (!url.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || !Texts.IsPlain(url) || url.Length > MostUrl)
                return null;
            string rest = url.Substring(7).Split('#')[0];
            int cut = rest.IndexOfAny(new char[] { '/', '?' });
            string authority = cut < 0 ? rest : rest.Substring(0, cut);
            string get = cut < 0 ? "/" : rest.Substring(cut);
            bool hasPort = authority.IndexOf(':', authority.LastIndexOf(']') + 1) >= 0;
            Place place = Place.Parse(hasPort ? authority : authority + ":80");
            if (place == null)
                return null;
            get = get[0] == '?' ? "/" + get : get;
            TargetSpec target = new TargetSpec { Id = place.ToString(), Place = place, Get = get, UserAgent = userAgent };
            return new RevocationUrl { Url = url, Target = target, Named = target.PlainUrl };
        }

        // In the order of sight; of one certificate: revocation lists, issuers, OCSP.
        public static List<RevocationUrl> Of(IEnumerable<byte[]> certificates, string userAgent)
        {
            List<Certificate> all = certificates.Select(Certificate.TryParse).Where(one => one != null).ToList();
            List<RevocationUrl> urls = new List<RevocationUrl>();
            foreach (Certificate one in all)
            {
                urls.AddRange(one.CrlUrls.Concat(one.IssuerUrls).Select(url => Parse(url, userAgent)));
                foreach (RevocationUrl responder in one.OcspUrls.Select(url => Parse(url, userAgent)).Where(url => url != null))
                {
                    // The plain URL where the issuer was not seen.
                    Certificate issuer = all.FirstOrDefault(other => other.Subject.SequenceEqual(one.Issuer));
                    if (issuer != null && one.HasUsualSerial)
                        responder.Target.Get = responder.Target.Get.TrimEnd('/') + "/" + one.OcspRequest(issuer);
                    urls.Add(responder);
                }
            }
            return urls.Where(url => url != null).ToList();
        }
    }

    // The few fields of a certificate that revocation needs.
    internal sealed class Certificate
    {
        private static readonly byte[] CrlPoints = { 0x55, 0x1d, 0x1f };
        private static readonly byte[] AuthorityInfo = { 0x2b, 6, 1, 5, 5, 7, 1, 1 };
        private static readonly byte[] CaIssuers = { 0x2b, 6, 1, 5, 5, 7, 0x30, 2 };
        private static readonly byte[] Ocsp = { 0x2b, 6, 1, 5, 5, 7, 0x30, 1 };
        private static readonly byte[] Sha1Algorithm = { 0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0 };
        public readonly byte[] Issuer, Subject;
        public readonly List<string> CrlUrls = new List<string>(), IssuerUrls = new List<string>(), OcspUrls = new List<string>();
        private const int MostSerial = 64;
        private readonly byte[] serial, key;

        // Throws a malformed fault.
        private Certificate(byte[] der)
        {
            Der body = new Der(new Reader(der)).Part(0);
            // The version is optional; then serial, algorithm, issuer, validity, subject, key.
            int first = body.Part(0).Tag == 0xa0 ? 1 : 0;
            serial = body.Part(first).Content;
            Issuer = body.Part(first + 2).Whole;
            Subject = body.Part(first + 4).Whole;
            key = body.Part(first + 5).Part(1).Content.Skip(1).ToArray();
            HashSet<string> there = new HashSet<string>();
            foreach (Der extension in body.Parts(0xa3).SelectMany(all => all.Part(0).Parts()))
            {
                byte[] id = extension.Part(0).Content;
                if (!there.Add(Texts.Hex(id)))
                    throw Fault.Malformed("an extension that is there twice");
                if (!id.SequenceEqual(CrlPoints) && !id.SequenceEqual(AuthorityInfo))
                    continue;
                Der value = new Der(new Reader(extension.Parts().Last().Content));
                if (id.SequenceEqual(CrlPoints))
                {
                    // Of each point its name, of that the full one.
                    IEnumerable<Der> names = value.Parts().SelectMany(point => point.Parts(0xa0)).SelectMany(point => point.Parts(0xa0));
                    CrlUrls.AddRange(names.SelectMany(Urls));
                }
                else
                {
                    IssuerUrls.AddRange(value.Parts().Where(entry => entry.Part(0).Content.SequenceEqual(CaIssuers)).SelectMany(Urls));
                    OcspUrls.AddRange(value.Parts().Where(entry => entry.Part(0).Content.SequenceEqual(Ocsp)).SelectMany(Urls));
                }
            }
        }

        // Null where it does not parse: it names no URLs then, and the judge sees its bytes all the same.
        public static Certificate TryParse(byte[] der)
        {
            try
            {
                return new Certificate(der);
            }
            catch (Fault)
            {
                return null;
            }
        }

        // Byte by byte, so that what is no ASCII is seen as that.
        private static IEnumerable<string> Urls(Der names)
        {
            return names.Parts(0x86).Select(name => string.Concat(name.Content.Select(one => (char)one)));
        }

        // Certificates have 20 bytes at most (RFC 5280, 4.1.2.2): a responder is asked about no monster.
        public bool HasUsualSerial { get { return serial.Length <= MostSerial; } }

        // RFC 6960, appendix A.1.
        public string OcspRequest(Certificate issuer)
        {
            byte[] id = Der.Write(
                0x30, Sha1Algorithm, Der.Write(4, Sha1(Issuer)), Der.Write(4, Sha1(issuer.key)), Der.Write(2, serial));
            byte[] request = Der.Write(0x30, Der.Write(0x30, Der.Write(0x30, Der.Write(0x30, id))));
            return Uri.EscapeDataString(Convert.ToBase64String(request));
        }

        private static byte[] Sha1(byte[] bytes)
        {
            using (SHA1 hash = SHA1.Create())
                return hash.ComputeHash(bytes);
        }
    }

    // One element of DER.
    internal sealed class Der
    {
        public readonly int Tag;
        public readonly byte[] Content;

        public Der(Reader from)
        {
            Tag = from.Number(1);
            int length = from.Number(1);
            if (length == 0x80 || length > 0x83)
                throw Fault.Malformed("a DER length that no certificate has");
            if (length > 0x80)
            {
                int width = length - 0x80;
                length = from.Number(width);
                if (length < 0x80 || length >> 8 * (width - 1) == 0)
                    throw Fault.Malformed("a DER length that is longer than it need be");
            }
            Content = from.Bytes(length);
        }

        // With its header, as DER has it: there is one way only to write it.
        public byte[] Whole { get { return Write(Tag, Content); } }

        public List<Der> Parts()
        {
            return new Reader(Content).Until(reader => new Der(reader));
        }

        public IEnumerable<Der> Parts(int tag)
        {
            return Parts().Where(part => part.Tag == tag);
        }

        public Der Part(int number)
        {
            List<Der> parts = Parts();
            if (number >= parts.Count)
                throw Fault.Malformed("a DER element with too few parts");
            return parts[number];
        }

        public static byte[] Write(int tag, params byte[][] parts)
        {
            byte[] content = parts.SelectMany(part => part).ToArray();
            Writer element = new Writer().Number(tag, 1);
            int width = content.Length < 0x80 ? 0 : content.Length < 0x100 ? 1 : 2;
            return (width == 0 ? element : element.Number(0x80 + width, 1)).Vector(Math.Max(width, 1), content).ToArray();
        }
    }
}
