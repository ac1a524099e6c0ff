# Prints query, hit and score of each hit that BioPerl's RemoteBlast gets from ADDRESS, as its own example does it.
# Usage: perl remoteblast.pl ADDRESS PROGRAM DATABASE FASTA
use strict;
use warnings;
use Bio::Tools::Run::RemoteBlast;

my ($address, $program, $database, $fasta) = @ARGV;
my $factory = Bio::Tools::Run::RemoteBlast->new(
    -prog => $program, -data => $database, -expect => '1e-10', -readmethod => 'SearchIO',
);
$factory->set_url_base($address);
$factory->submit_blast($fasta) > 0 or die "nothing was submitted\n";
my $asked = 0;
while (my @rids = $factory->each_rid) {
    foreach my $rid (@rids) {
        die "asked too often\n" if ++$asked > 20;
        my $found = $factory->retrieve_blast($rid);
        die "the search has failed\n" if !ref($found) && $found > 0;
        next if !ref($found);
        $factory->remove_rid($rid);
        my $result = $found->next_result;
        while (my $hit = $result->next_hit) {
            print join("\t", $result->query_name, $hit->name, $hit->next_hsp->score), "\n";
        }
    }
}
