/*
 * buffer.c: bytes that grow and leave no copies behind.
 *
 * Requests are made of secrets, so every buffer here is treated as if it held one: where it is outgrown it is wiped, and
 * where its memory context is reset, after an error too, a callback wipes it. A StringInfo would leave what it has outgrown.
 */
#include "postgres.h"

#include "common/base64.h"
#include "dispatch/making.h"
#include "utils/memutils.h"

/* A line is encoded at once; a multiple of 3, so that none but the last is padded. */
#define CHUNK_BYTES 3072

static void
wipe(void *arg)
{
	WfBuffer   *buffer = arg;

	explicit_bzero(buffer->data, buffer->size);
}

WfBuffer *
wf_buffer_make(size_t expected)
{
	WfBuffer   *buffer = palloc0(sizeof(WfBuffer));

	buffer->memory = CurrentMemoryContext;
	buffer->size = Min(Max(expected + 1, 64), MaxAllocSize);
	buffer->data = palloc(buffer->size);
	buffer->data[0] = '\0';
	buffer->on_reset.func = wipe;
	buffer->on_reset.arg = buffer;
	MemoryContextRegisterResetCallback(buffer->memory, &buffer->on_reset);
	return buffer;
}

/* Room for so many more bytes and a NUL; false when there can be none. */
static bool
reserve(WfBuffer *buffer, size_t more)
{
	size_t		size;
	char	   *bigger;
	char	   *outgrown = buffer->data;

	if (more < buffer->size - buffer->bytes)
		return true;
	if (buffer->overflown || more >= MaxAllocSize - buffer->bytes)
	{
		buffer->overflown = true;
		return false;
	}
	size = Min(Max(buffer->size * 2, buffer->bytes + more + 1), MaxAllocSize);
	bigger = MemoryContextAlloc(buffer->memory, size);
	memcpy(bigger, outgrown, buffer->bytes + 1);
	explicit_bzero(outgrown, buffer->size);
	buffer->data = bigger;
	buffer->size = size;
	pfree(outgrown);
	return true;
}

void
wf_buffer_put(WfBuffer *buffer, const char *data, size_t bytes)
{
	if (!reserve(buffer, bytes))
		return;
	memcpy(buffer->data + buffer->bytes, data, bytes);
	buffer->bytes += bytes;
	buffer->data[buffer->bytes] = '\0';
}

void
wf_buffer_put_text(WfBuffer *buffer, const char *text)
{
	wf_buffer_put(buffer, text, strlen(text));
}

void
wf_buffer_put_encoded(WfBuffer *buffer, const char *data, size_t bytes)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes; i++)
	{
		unsigned char c = data[i];
		char		escape[3] = {'%', digits[c >> 4], digits[c & 15]};

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
			c == '~')
			wf_buffer_put(buffer, data + i, 1);
		else
			wf_buffer_put(buffer, escape, 3);
	}
}

void
wf_buffer_put_base64(WfBuffer *buffer, const char *data, size_t bytes, int line_chars)
{
	size_t		chunk = line_chars > 0 ? line_chars / 4 * 3 : CHUNK_BYTES;

	for (size_t i = 0; i < bytes; i += chunk)
	{
		int			n = (int) Min(chunk, bytes - i);
		int			room = pg_b64_enc_len(n) + 1;

		if (!reserve(buffer, room))
			return;
		/* bytes are char before PG 18, uint8 since */
		n = pg_b64_encode((const void *) (data + i), n, buffer->data + buffer->bytes, room);
		Assert(n >= 0);
		buffer->bytes += n;
		buffer->data[buffer->bytes] = '\0';
		if (line_chars > 0)
			wf_buffer_put(buffer, "\r\n", 2);
	}
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
wf_buffer_put_decoded(WfBuffer *buffer, const char *text, size_t bytes)
{
	uint32		bits = 0;
	int			digits = 0;		/* of this group of four */
	int			padding = 0;

	if (!reserve(buffer, bytes / 4 * 3 + 3))
		return true;			/* overflown says so */
	for (size_t i = 0; i < bytes; i++)
	{
		int			digit = base64_digit(text[i]);

		if (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t')
			continue;
		if (text[i] == '=')
		{
			padding++;
			continue;
		}
		if (digit < 0 || padding > 0)
			return false;
		bits = (bits << 6) | (uint32) digit;
		if (++digits == 4)
		{
			char		three[3] = {(char) (bits >> 16), (char) (bits >> 8), (char) bits};

			wf_buffer_put(buffer, three, 3);
			digits = 0;
		}
	}
	if (digits == 1 || padding != (4 - digits) % 4)
		return false;
	if (digits > 0)
	{
		char		rest[2] = {(char) (bits >> (digits == 2 ? 4 : 10)), (char) (bits >> 2)};

		wf_buffer_put(buffer, rest, digits - 1);
	}
	bits = 0;
	return true;
}
