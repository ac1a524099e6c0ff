// A search with BioJava's client of NCBI: URL DATABASE FASTA. Prints the accessions of the hits.
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.biojava.nbio.ws.alignment.qblast.BlastOutputFormatEnum;
import org.biojava.nbio.ws.alignment.qblast.BlastOutputParameterEnum;
import org.biojava.nbio.ws.alignment.qblast.BlastProgramEnum;
import org.biojava.nbio.ws.alignment.qblast.NCBIQBlastAlignmentProperties;
import org.biojava.nbio.ws.alignment.qblast.NCBIQBlastOutputProperties;
import org.biojava.nbio.ws.alignment.qblast.NCBIQBlastService;

public class Search {
    public static void main(String[] given) throws Exception {
        NCBIQBlastService service = new NCBIQBlastService(given[0]);
        NCBIQBlastAlignmentProperties search = new NCBIQBlastAlignmentProperties();
        search.setBlastProgram(BlastProgramEnum.blastn);
        search.setBlastDatabase(given[1]);
        String id = service.sendAlignmentRequest(Files.readString(Path.of(given[2])), search);
        while (!service.isReady(id)) {
            Thread.sleep(200);
        }
        NCBIQBlastOutputProperties output = new NCBIQBlastOutputProperties();
        output.setOutputOption(BlastOutputParameterEnum.FORMAT_TYPE, BlastOutputFormatEnum.XML.toString());
        try (InputStream stream = service.getAlignmentResults(id, output)) {
            Matcher hits = Pattern.compile("<Hit_accession>([^<]+)").matcher(new String(stream.readAllBytes()));
            while (hits.find()) {
                System.out.println("HIT " + hits.group(1));
            }
        }
    }
}
