package Source;

# Source.pm: what the lints know of C files: which there are, their text without comments or
# strings, and where their functions begin and end. PostgreSQL's layout is taken for granted: a
# function's name and its braces begin in the first column.
use strict;
use warnings;

# files(suffix, folder ...): the files below the folders, sorted.
sub files
{
	my ($suffix, @folders) = @_;
	my @found;
	while (defined(my $path = shift @folders))
	{
		if (-d $path) { push @folders, glob("$path/*"); }
		elsif ($path =~ /\Q$suffix\E$/) { push @found, $path; }
	}
	return sort @found;
}

sub text
{
	my ($path) = @_;
	open(my $in, '<', $path) or die "could not open $path: $!\n";
	local $/;
	my $text = <$in>;
	return defined $text ? $text : '';
}

# The same number of lines with comments blanked, and strings too unless they are wanted.
sub code
{
	my ($text, $keep_strings) = @_;
	$text =~ s{(/\*.*?\*/|//[^\n]*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}{
		my ($comment, $string) = ($1, $2);
		if (defined $comment) { (my $lines = $comment) =~ s/[^\n]//g; " $lines"; }
		elsif ($keep_strings || substr($string, 0, 1) eq "'") { $string; }
		else { '""'; }
	}gse;
	return $text;
}

# functions(text): a list of { name, first, last, body }; `first` is the line of the name.
sub functions
{
	my @lines = split /\n/, code(shift), -1;
	my ($name, $first, $open, @found);
	for my $i (0 .. $#lines)
	{
		my $line = $lines[$i];
		if (!defined $open && $line =~ /^(\w+)\s*\(/ && $line !~ /;\s*$/)
		{
			($name, $first) = ($1, $i + 1);
		}
		elsif (!defined $open && $line =~ /^(?:static|extern|const|\w+)\b[^=;]*?\b(\w+)\s*\([^;]*$/ && $line !~ /^#/)
		{
			($name, $first) = ($1, $i + 1);
		}
		elsif (!defined $open && $line =~ /^\{/ && defined $name)
		{
			$open = $i;
		}
		elsif (defined $open && $line =~ /^\}/)
		{
			push @found,
			  { name => $name, first => $first, last => $i + 1, body => join("\n", @lines[ $open .. $i ]) };
			($name, $open) = (undef, undef);
		}
		elsif (!defined $open && $line =~ /^\}|;\s*$/)
		{
			$name = undef;
		}
	}
	return @found;
}

# list(file): the lines of a list, without comments and empty lines.
sub list
{
	my ($path) = @_;
	return grep { /\S/ } map { s/\s*#.*//r } split /\n/, text($path);
}

1;
