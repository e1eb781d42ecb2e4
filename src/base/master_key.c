/*
 * master_key.c: where the master keys come from, and where they are kept: the current one, and while secrets are sealed anew the
 * one before.
 *
 * 1. 64 hexadecimal digits, from the file that workflow.master_key_file names or from what workflow.master_key_command
 *    prints; the previous key in the same way. No setting holds a key itself.
 * 2. When the library is preloaded, the postmaster reads it as the server starts, and every process of the server has it by
 *    fork: nobody needs the file again, which may be one that only exists while the server starts. Where that gave none, or
 *    the library is not preloaded, a backend reads it when it first needs it, and keeps it as long as it lives.
 * 3. It lies in a page of its own that is mapped with no access but during a derivation, is locked into memory where the
 *    system lets us, and is left out of core dumps: what runs away over memory, or writes it out, does not meet it. What is
 *    read it from is wiped.
 * 4. A key that is missing or no key stops secrets and nothing else. That it is another one than that which the secrets
 *    were encrypted with is seen by the store, which has a check value.
 *
 * Whoever can make the server's own user run a program (a superuser can) can read the file, too; the key protects what leaves
 * the server: dumps, backups, replicas, disks.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypt.h"
#include "base/secret.h"
#include "base/settings.h"
#include "miscadmin.h"
#include "storage/fd.h"

#define DIGITS (WF_CRYPT_KEY_BYTES * 2)
#define MOST_TEXT 256			/* digits, and white space around them */

typedef struct Vault
{
	const char *file_setting;
	const char *command_setting;
	char	  **file;
	char	  **command;
	uint8	   *page;			/* NULL: no key yet */
	/* What was wrong when it was last read; messages name the setting and never what is in the file. */
	char		problem[256];
	const char *hint;
} Vault;

static Vault vaults[WF_MASTER_KEYS] = {
	[WF_MASTER_KEY_CURRENT] = {
		"workflow.master_key_file", "workflow.master_key_command", &wf_setting_master_key_file, &wf_setting_master_key_command
	},
	[WF_MASTER_KEY_PREVIOUS] = {
		"workflow.master_key_previous_file", "workflow.master_key_previous_command",
		&wf_setting_master_key_previous_file, &wf_setting_master_key_previous_command
	},
};

static long page_bytes = 0;

static const char *const how =
"Put 64 hexadecimal digits (openssl rand -hex 32) into a file that only the server's user can read, name it in \"workflow.master_key_file\", and restart the server.";

static bool
complain(Vault *vault, const char *hint, const char *fmt,...) pg_attribute_printf(3, 4);

static bool
complain(Vault *vault, const char *hint, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	vsnprintf(vault->problem, sizeof(vault->problem), fmt, args);
	va_end(args);
	vault->hint = hint;
	return false;
}

/* -- the vault -- */

static bool
fill_vault(Vault *vault, const uint8 *key)
{
	if (vault->page == NULL)
	{
		void	   *page;

		page_bytes = sysconf(_SC_PAGESIZE);
		page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			return complain(vault, NULL, "memory for the master key could not be had: %m");
		(void) mlock(page, page_bytes);
#ifdef MADV_DONTDUMP
		(void) madvise(page, page_bytes, MADV_DONTDUMP);
#endif
		vault->page = page;
	}
	else
		(void) mprotect(vault->page, page_bytes, PROT_READ | PROT_WRITE);
	memcpy(vault->page, key, WF_CRYPT_KEY_BYTES);
	(void) mprotect(vault->page, page_bytes, PROT_NONE);
	return true;
}

bool
wf_master_key_derive(WfMasterKey which, const char *purpose, const uint8 *info, int info_len, uint8 *out, int out_len)
{
	uint8	   *page = vaults[which].page;
	bool		done;

	if (page == NULL || mprotect(page, page_bytes, PROT_READ) != 0)
		return false;
	done = wf_crypt_hkdf(page, WF_CRYPT_KEY_BYTES, (const uint8 *) purpose, strlen(purpose), info, info_len, out, out_len);
	(void) mprotect(page, page_bytes, PROT_NONE);
	return done;
}

/* -- reading -- */

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* From text to the vault; wipes the text. */
static bool
take_text(Vault *vault, char *text, int len, const char *setting)
{
	uint8		key[WF_CRYPT_KEY_BYTES];
	int			begin = 0;
	int			end = len;
	bool		is_key;

	while (begin < end && is_space(text[begin]))
		begin++;
	while (end > begin && is_space(text[end - 1]))
		end--;
	is_key = end - begin == DIGITS;
	for (int i = 0; is_key && i < WF_CRYPT_KEY_BYTES; i++)
	{
		int			high = digit(text[begin + 2 * i]);
		int			low = digit(text[begin + 2 * i + 1]);

		is_key = high >= 0 && low >= 0;
		if (is_key)
			key[i] = (uint8) (high << 4 | low);
	}
	explicit_bzero(text, MOST_TEXT);
	if (is_key)
		is_key = fill_vault(vault, key);
	else
		complain(vault, "It is to be 64 hexadecimal digits, and nothing else.", "what \"%s\" leads to is no master key", setting);
	explicit_bzero(key, sizeof(key));
	return is_key;
}

/* The rule that the server has for its TLS key: our own file and nobody else's business, or root's, which our group may read. */
static bool
is_private(const struct stat *status)
{
	if (status->st_uid == geteuid())
		return (status->st_mode & (S_IRWXG | S_IRWXO)) == 0;
	return status->st_uid == 0 && (status->st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) == 0;
}

static bool
read_file(Vault *vault)
{
	const char *setting = vault->file_setting;
	char		text[MOST_TEXT];
	struct stat status;
	int			fd = BasicOpenFile(*vault->file, O_RDONLY | PG_BINARY | O_NONBLOCK);	/* a pipe is refused below, not waited for */
	int			n = 0;
	int			got = 0;

	if (fd < 0)
		return complain(vault, how, "the file that \"%s\" names could not be opened: %m", setting);
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
	{
		close(fd);
		return complain(vault, how, "what \"%s\" names is no file", setting);
	}
	if (!is_private(&status))
	{
		close(fd);
		return complain(vault, "It must belong to the server's user with permissions u=rw (0600) or less, or to root with u=rw,g=r (0640) or less.",
						"the file that \"%s\" names can be read by others", setting);
	}
	while (n < MOST_TEXT && (got = read(fd, text + n, MOST_TEXT - n)) > 0)
		n += got;
	if (got < 0)
		complain(vault, how, "the file that \"%s\" names could not be read: %m", setting);
	close(fd);
	if (got < 0)
	{
		explicit_bzero(text, sizeof(text));
		return false;
	}
	return take_text(vault, text, n, setting);
}

static bool
read_command(Vault *vault)
{
	const char *setting = vault->command_setting;
	char		text[MOST_TEXT];
	FILE	   *pipe = OpenPipeStream(*vault->command, "r");
	int			n;
	int			status;

	if (pipe == NULL)
		return complain(vault, NULL, "the command of \"%s\" could not be run: %m", setting);
	(void) setvbuf(pipe, NULL, _IONBF, 0); /* no copy in a buffer that is not ours */
	n = fread(text, 1, MOST_TEXT, pipe);
	status = ClosePipeStream(pipe);
	if (status != 0)
	{
		explicit_bzero(text, sizeof(text));
		return complain(vault, "Run it by hand as the server's user: it is to print 64 hexadecimal digits and to end with 0.",
						"the command of \"%s\" failed", setting);
	}
	return take_text(vault, text, n, setting);
}

static bool
is_wanted(const Vault *vault)
{
	return (*vault->file)[0] != '\0' || (*vault->command)[0] != '\0';
}

static bool
read_key(Vault *vault)
{
	vault->problem[0] = '\0';
	vault->hint = NULL;
	if ((*vault->file)[0] != '\0' && (*vault->command)[0] != '\0')
		return complain(vault, "Leave one of them empty.", "both \"%s\" and \"%s\" are set", vault->file_setting, vault->command_setting);
	if ((*vault->file)[0] != '\0')
		return read_file(vault);
	if ((*vault->command)[0] != '\0')
		return read_command(vault);
	return complain(vault, how, "neither \"%s\" nor \"%s\" is set", vault->file_setting, vault->command_setting);
}

void
wf_master_key_init(void)
{
	for (int i = 0; process_shared_preload_libraries_in_progress && i < WF_MASTER_KEYS; i++)
		if (is_wanted(&vaults[i]) && !read_key(&vaults[i]))
			ereport(WARNING, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							  errmsg(i == WF_MASTER_KEY_CURRENT ? "workflow has no master key, and so no secrets" :
									 "workflow does not have the previous master key, and opens no secrets of it"),
							  errdetail_internal("It is because %s.", vaults[i].problem),
							  vaults[i].hint != NULL ? errhint("%s", vaults[i].hint) : 0));
}

WfError *
wf_master_key_problem(WfMasterKey which)
{
	Vault	   *vault = &vaults[which];
	WfError    *error;

	if (vault->page != NULL || read_key(vault))
		return NULL;
	error = wf_error_make(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, vault->hint, which == WF_MASTER_KEY_CURRENT ?
						  "there is no master key for secrets" : "there is no previous master key for secrets");
	error->detail = psprintf("It is because %s.", vault->problem);
	return error;
}

#ifdef WF_TESTING
void
wf_master_key_replace(WfMasterKey which, const uint8 *key)
{
	Vault	   *vault = &vaults[which];

	if (key != NULL)
		(void) fill_vault(vault, key);
	else if (vault->page != NULL)
	{
		(void) munmap(vault->page, page_bytes);
		vault->page = NULL;
	}
}
#endif
