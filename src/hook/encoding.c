/*
 * encoding.c: how bytes are written in requests, tokens and keys.
 */
#include "postgres.h"

#include <limits.h>

#include "base/crypt.h"
#include "common/base64.h"
#include "hook/internal.h"
#include "mb/pg_wchar.h"

#define BASE64_CHUNK 3072		/* a multiple of 3, so that none but the last is padded */

static const char hex_digits[] = "0123456789abcdef";

bool
wf_hook_is_dots(const char *text, size_t bytes)
{
	return (bytes == 1 && text[0] == '.') || (bytes == 2 && text[0] == '.' && text[1] == '.');
}

bool
wf_hook_is_text(const char *bytes, size_t n)
{
	if (n > INT_MAX || pg_encoding_verifymbstr(PG_UTF8, bytes, (int) n) != (int) n)
		return false;
	for (size_t i = 0; GetDatabaseEncoding() != PG_UTF8 && i < n; i++)
		if (IS_HIGHBIT_SET(bytes[i]))
			return false;
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
wf_hook_percent_decode(const char *text, size_t bytes, bool is_form, char *out, size_t *out_bytes)
{
	size_t		n = 0;

	for (size_t i = 0; i < bytes; i++)
	{
		if (text[i] == '%')
		{
			int			high = bytes - i > 2 ? hex_digit(text[i + 1]) : -1;
			int			low = bytes - i > 2 ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			out[n++] = (char) (high << 4 | low);
			i += 2;
		}
		else
			out[n++] = is_form && text[i] == '+' ? ' ' : text[i];
	}
	*out_bytes = n;
	return true;
}

char *
wf_hook_base64(const void *data, size_t bytes)
{
	size_t		room = bytes / 3 * 4 + 5;
	char	   *text = palloc(room);
	size_t		n = 0;

	Assert(bytes <= WF_HOOK_BODY_BYTES);
	/* bytes are char before PG 18, uint8 since */
	for (size_t i = 0; i < bytes; i += BASE64_CHUNK)
		n += pg_b64_encode((const void *) ((const char *) data + i), (int) Min(BASE64_CHUNK, bytes - i), text + n,
						   (int) (room - n));
	text[n] = '\0';
	return text;
}

void
wf_hook_hex(const uint8 hash[WF_CRYPT_HASH_BYTES], char out[2 * WF_CRYPT_HASH_BYTES + 1])
{
	for (int i = 0; i < WF_CRYPT_HASH_BYTES; i++)
	{
		out[2 * i] = hex_digits[hash[i] >> 4];
		out[2 * i + 1] = hex_digits[hash[i] & 15];
	}
	out[2 * WF_CRYPT_HASH_BYTES] = '\0';
}

/* The value of a digit; `last` are the two that differ between kinds of base64. */
static int
base64_digit(char c, const char last[2])
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* What digits stand for, with `skipped` among them left out; false when one is none, bits are left over that say something, or
 * `out` has no room. *n_digits: how many there were. */
static bool
decode_digits(const char *text, size_t bytes, const char last[2], const char *skipped, uint8 *out, size_t room,
			  size_t *out_bytes, size_t *n_digits)
{
	uint32		bits = 0;
	int			n_bits = 0;

	*out_bytes = 0;
	*n_digits = 0;
	for (size_t i = 0; i < bytes; i++)
	{
		int			digit = base64_digit(text[i], last);

		if (text[i] != '\0' && strchr(skipped, text[i]) != NULL)
			continue;
		if (digit < 0)
			return false;
		(*n_digits)++;
		bits = (bits << 6 | (uint32) digit) & 0xFFF;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		if (*out_bytes == room)
			return false;
		n_bits -= 8;
		out[(*out_bytes)++] = (uint8) (bits >> n_bits);
	}
	return *n_digits % 4 != 1 && (bits & ((1U << n_bits) - 1)) == 0;
}

bool
wf_hook_base64url_decode(const char *text, size_t bytes, uint8 *out, size_t room, size_t *out_bytes)
{
	size_t		n_digits;

	return decode_digits(text, bytes, "-_", "", out, room, out_bytes, &n_digits);
}

bool
wf_hook_base64_decode(const char *text, size_t bytes, uint8 *out, size_t room, size_t *out_bytes)
{
	size_t		padding = 0;
	size_t		n_digits;

	for (; bytes > 0 && strchr("= \t\r\n", text[bytes - 1]) != NULL && text[bytes - 1] != '\0'; bytes--)
		padding += text[bytes - 1] == '=';
	return decode_digits(text, bytes, "+/", " \t\r\n", out, room, out_bytes, &n_digits) && (n_digits + padding) % 4 == 0 &&
		padding <= 2;
}

Jsonb *
wf_hook_parse_json(const char *text, size_t bytes)
{
	char	   *copy;
	Jsonb	   *parsed;
	int			sqlstate;

	if (!wf_hook_is_text(text, bytes))
		return NULL;
	copy = pnstrdup(text, bytes);
	parsed = wf_json_try_parse(copy, &sqlstate);
	pfree(copy);
	return parsed;
}

char *
wf_hook_digest(const void *data, size_t bytes)
{
	uint8		hash[WF_CRYPT_HASH_BYTES];
	char		digits[2 * WF_CRYPT_HASH_BYTES + 1];

	if (!wf_crypt_sha256(data, bytes, hash))
		return NULL;
	wf_hook_hex(hash, digits);
	return psprintf("sha256:%s", digits);
}
