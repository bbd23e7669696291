package translate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// testChain is a leaf, the certificate that signed it, and the one that signed that; and the leaf's key.
type testChain struct {
	leaf, middle, root string
	key                crypto.Signer
}

// newTestChain makes the chain of a key.
func newTestChain(t testing.TB, key crypto.Signer) testChain {
	t.Helper()
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var parent *x509.Certificate
	var signer crypto.Signer = authority
	next := func(name string, key crypto.Signer) string {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			IsCA: name != "leaf", BasicConstraintsValid: true, DNSNames: []string{name + ".test"},
		}
		if parent == nil {
			parent = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
		if err == nil {
			parent, err = x509.ParseCertificate(der)
		}
		if err != nil {
			t.Fatal(err)
		}
		signer = key
		return block("CERTIFICATE", der)
	}
	middle, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := testChain{key: key}
	c.root = next("root", authority)
	c.middle = next("middle", middle)
	c.leaf = next("leaf", key)
	return c
}

func block(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func derOf(t testing.TB, text string) []byte {
	t.Helper()
	b, _ := pem.Decode([]byte(text))
	if b == nil {
		t.Fatalf("no PEM: %s", text)
	}
	return b.Bytes
}

func pkcs8(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

// ecKey is made once: what a test makes of it is what counts.
var ecKey = sync.OnceValues(func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })

func ecChain(t testing.TB) testChain {
	t.Helper()
	key, err := ecKey()
	if err != nil {
		t.Fatal(err)
	}
	return newTestChain(t, key)
}

func tlsData(certificate, key string) *corev1.Secret {
	return &corev1.Secret{Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: []byte(certificate), corev1.TLSPrivateKeyKey: []byte(key)}}
}

// TestChains writes a chain of three in many ways. Each is sent whole, or refused with a text that says what is wrong (R30).
func TestChains(t *testing.T) {
	c := ecChain(t)
	leaf, middle, root := c.leaf, c.middle, c.root
	whole := leaf + middle + root
	const label = "CERTIFICATE-----"
	if strings.Count(leaf, "\n") != 10 {
		t.Fatalf("the second certificate isn't to begin in line 11:\n%s", leaf)
	}
	oneLine := func(text string) string {
		body := base64.StdEncoding.EncodeToString(derOf(t, text))
		return "-----BEGIN " + label + "\n" + body + "\n-----END " + label + "\n"
	}
	for _, row := range []struct {
		name, text string
		// problem is why it is refused, and note what is said of it; "" for nothing.
		problem, note string
	}{
		{"as it should be", whole, "", ""},
		{"joined without newlines", strings.TrimSpace(leaf) + strings.TrimSpace(middle) + strings.TrimSpace(root), "", ""},
		{"joined, the last two", leaf + strings.TrimSpace(middle) + root, "", ""},
		{"CRLF", strings.ReplaceAll(whole, "\n", "\r\n"), "", ""},
		{"CR alone", strings.ReplaceAll(whole, "\n", "\r"), "", ""},
		{"a byte order mark", "\ufeff" + whole, "", ""},
		{"indented", strings.ReplaceAll("\n"+whole, "\n", "\n   "), "", ""},
		{"spaces behind", strings.ReplaceAll(whole, "\n", " \t\n"), "", ""},
		{"empty lines between", strings.ReplaceAll(whole, "\n", "\n\n"), "", ""},
		{"no newline in a block", oneLine(leaf) + oneLine(middle) + oneLine(root), "", ""},
		{"text around", "subject=/CN=leaf\n" + leaf + "\n# --- end-entity above, intermediate below ---\n" + middle + "  i: root\x00\xff\n" +
			root + "That's all.", "", ""},
		{"old label", strings.ReplaceAll(whole, "CERTIFICATE--", "X509 CERTIFICATE--"), "", ""},
		{"trusted, with what OpenSSL adds", leaf + block("TRUSTED CERTIFICATE",
			append(derOf(t, middle), 0x30, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 1)) + root, "", ""},
		{"headers in a block", strings.ReplaceAll(whole, "BEGIN "+label+"\n", "BEGIN "+label+"\nName: a\n\n"), "", ""},
		{"its key beside it", pkcs8(t, c.key) + whole, "", ""},
		{"intermediates in the wrong order", leaf + root + middle, "",
			"in the wrong order; it is sent with each certificate after the one that it signed"},

		{"empty", "", "has no tls.crt", ""},
		{"no PEM", "MII", "has no certificate in tls.crt", ""},
		{"DER", string(derOf(t, leaf)), "has no certificate in tls.crt", ""},
		{"only a key", pkcs8(t, c.key), "has no certificate in tls.crt", ""},
		{"the leaf last", root + middle + leaf, `wrong order: the private key is that of certificate 3 of 3, "CN=leaf"`, ""},
		{"the leaf second", middle + leaf + root, `wrong order: the private key is that of certificate 2 of 3, "CN=leaf"`, ""},
		{"base64 that is broken", leaf + strings.Replace(middle, "\nMI", "\nM!", 1) + root,
			`the block "CERTIFICATE" that begins in line 11 isn't base64`, ""},
		{"cut off in a block", whole[:len(whole)-40], "doesn't end", ""},
		{"an END is missing", leaf + strings.Replace(middle, "-----END "+label, "", 1) + root,
			`the block "CERTIFICATE" that begins in line 11 doesn't end`, ""},
		{"a BEGIN is missing", leaf + strings.Replace(middle, "-----BEGIN "+label, "", 1) + root, "looks like a part of a block", ""},
		{"both are missing", leaf + base64.StdEncoding.EncodeToString(derOf(t, middle)) + "\n" + root, "looks like a part of a block", ""},
		{"dashes are shared", strings.ReplaceAll(leaf+middle, "-----\n-----", "-----"), "line 10 looks like a part of a block", ""},
		{"a dash is missing", leaf + strings.ReplaceAll(middle, "-----\n", "----\n") + root, "looks like a part of a block", ""},
		{"END of another label", leaf + strings.Replace(middle, "END "+label, "END X509 "+label, 1), "doesn't end", ""},
		{"small letters", leaf + strings.ReplaceAll(middle, "CERTIFICATE", "certificate") + root, `has a block "certificate" in line 11`, ""},
		{"another kind of block", leaf + strings.ReplaceAll(middle, "CERTIFICATE", "PKCS7"), `has a block "PKCS7" in line 11 of tls.crt`, ""},
		{"a request", leaf + block("CERTIFICATE REQUEST", derOf(t, middle)), `"CERTIFICATE REQUEST"`, ""},
		{"no certificate in a block", leaf + block("CERTIFICATE", []byte("no")),
			"number 2 of its chain, in line 11 of tls.crt, that can't be used", ""},
		{"more behind it in a block", leaf + block("CERTIFICATE", append(derOf(t, middle), derOf(t, root)...)), "number 2 of its chain", ""},
		{"encrypted", leaf + strings.ReplaceAll(middle, "BEGIN "+label+"\n", "BEGIN "+label+"\nProc-Type: 4,ENCRYPTED\n\n"), "it is encrypted",
			""},
	} {
		pair, note, err := readKeyPair(tlsData(row.text, pkcs8(t, c.key)))
		switch {
		case row.problem != "":
			if err == nil || !strings.Contains(err.Error(), row.problem) {
				t.Errorf("%s: %v, want %q", row.name, err, row.problem)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if string(pair.Certificate) != whole {
			t.Errorf("%s: it is sent as\n%s\nwant\n%s", row.name, pair.Certificate, whole)
		}
		if row.note == "" && note != "" || !strings.Contains(note, row.note) {
			t.Errorf("%s: the note is %q, want %q", row.name, note, row.note)
		}
	}
}

// TestTwoEnds is a chain that may end in two ways: all of it is sent, in its own order.
func TestTwoEnds(t *testing.T) {
	c, other := ecChain(t), ecChain(t)
	text := c.leaf + c.middle + c.root + other.middle + other.root
	pair, note, err := readKeyPair(tlsData(text, pkcs8(t, c.key)))
	if err != nil || note != "" || string(pair.Certificate) != text {
		t.Errorf("%q %v\n%s", note, err, pair.Certificate)
	}
}

// TestKeys writes keys in all usual ways.
func TestKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecKey()
	if err != nil {
		t.Fatal(err)
	}
	sec1DER, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	sec1, pkcs1 := block("EC PRIVATE KEY", sec1DER), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))
	parameters := block("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7})
	for _, row := range []struct {
		name    string
		key     crypto.Signer
		text    string
		problem string
	}{
		{"PKCS #8 of RSA", rsaKey, pkcs8(t, rsaKey), ""},
		{"PKCS #8 of ECDSA", ec, pkcs8(t, ec), ""},
		{"PKCS #8 of Ed25519", edwards, pkcs8(t, edwards), ""},
		{"PKCS #1", rsaKey, pkcs1, ""},
		{"SEC 1", ec, sec1, ""},
		{"SEC 1 behind its parameters", ec, parameters + sec1, ""},
		{"joined to its parameters", ec, strings.TrimSpace(parameters) + sec1, ""},
		{"under another label", ec, strings.ReplaceAll(sec1, "EC PRIVATE", "PRIVATE"), ""},
		{"behind another one", ec, pkcs1 + sec1, ""},
		{"with the certificate", ec, ecChain(t).leaf + sec1, ""},
		{"CRLF and a byte order mark", rsaKey, "\ufeff" + strings.ReplaceAll(pkcs1, "\n", "\r\n"), ""},
		{"none", ec, "", "has no tls.key"},
		{"parameters alone", ec, parameters, "has no private key in tls.key"},
		{"a public key", ec, strings.ReplaceAll(sec1, "EC PRIVATE", "PUBLIC"), "has no private key in tls.key"},
		{"of another certificate", ec, pkcs1, "has a private key that doesn't belong to its certificate"},
		{"encrypted PKCS #1", rsaKey, strings.Replace(pkcs1, "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,48E6A3\n\n",
			1), "has an encrypted private key in line 1 of tls.key"},
		{"encrypted PKCS #8", ec, parameters + strings.ReplaceAll(sec1, "EC PRIVATE", "ENCRYPTED PRIVATE"),
			"has an encrypted private key in line 4 of tls.key"},
		{"OpenSSH's own form", ec, block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00")),
			`has a private key "OPENSSH PRIVATE KEY" in line 1 of tls.key that can't be read`},
		{"cut off", ec, sec1[:len(sec1)-30], "has a tls.key that can't be read"},
	} {
		c := newTestChain(t, row.key)
		pair, _, err := readKeyPair(tlsData(c.leaf+c.middle, row.text))
		switch {
		case row.problem != "":
			if err == nil || !strings.Contains(err.Error(), row.problem) {
				t.Errorf("%s: %v, want %q", row.name, err, row.problem)
			}
		case err != nil:
			t.Errorf("%s: %v", row.name, err)
		default:
			if _, err := tls.X509KeyPair(pair.Certificate, pair.Key); err != nil ||
				!strings.HasPrefix(string(pair.Key), "-----BEGIN PRIVATE KEY-----\n") {
				t.Errorf("%s: %v\n%s", row.name, err, pair.Key)
			}
		}
	}
}

// FuzzChain reads what is made of a chain and its key. What is taken is served as a pair that fits, and has every
// certificate whose data stands in the text.
func FuzzChain(f *testing.F) {
	c := ecChain(f)
	key := pkcs8(f, c.key)
	all := []string{c.leaf, c.middle, c.root}
	for _, order := range []string{c.leaf, c.leaf + c.middle, c.leaf + c.root + c.middle, strings.TrimSpace(c.leaf) + c.middle + key} {
		f.Add([]byte(order), []byte(key))
	}
	f.Fuzz(func(t *testing.T, certificate, key []byte) {
		pair, _, err := readKeyPair(tlsData(string(certificate), string(key)))
		if err != nil {
			return
		}
		if _, err := tls.X509KeyPair(pair.Certificate, pair.Key); err != nil {
			t.Fatalf("%v\n%s", err, pair.Certificate)
		}
		for _, text := range all {
			line := []byte(strings.Split(text, "\n")[3])
			if in, out := bytes.Count(certificate, line), bytes.Count(pair.Certificate, line); out < in {
				t.Errorf("a certificate stands %d times in the Secret and is sent %d times:\n%s", in, out, certificate)
			}
		}
	})
}
