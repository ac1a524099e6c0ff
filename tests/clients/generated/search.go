// Submits a search, waits for its end and prints its first hit, with a client that oapi-codegen made.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.org/search/blastd"
)

func main() {
	url, token, query := os.Args[1], os.Args[2], os.Args[3]
	ctx := context.Background()
	sign := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	client, err := blastd.NewClientWithResponses(url, blastd.WithRequestEditorFn(sign))
	check(err)
	body := blastd.SearchBody{Program: "blastn", Query: &query, Options: &map[string]interface{}{"evalue": "1e-20"}}
	var database blastd.SearchBody_Database
	check(database.FromSearchBodyDatabase0("tnt"))
	body.Database = &database
	key := "generated-go"
	sent, err := client.SubmitWithResponse(ctx, &blastd.SubmitParams{IdempotencyKey: &key}, body)
	check(err)
	if sent.JSON202 == nil {
		log.Fatal(sent.Status(), string(sent.Body))
	}
	id, wait, status := sent.JSON202.JobId, 30.0, string(sent.JSON202.Status)
	for status == "queued" || status == "running" {
		job, err := client.GetJobWithResponse(ctx, id, &blastd.GetJobParams{Wait: &wait})
		check(err)
		status = string(job.JSON200.Status)
	}
	page, err := client.GetHitsWithResponse(ctx, id, &blastd.GetHitsParams{})
	check(err)
	format := "tabular"
	table, err := client.GetResultsWithResponse(ctx, id, &blastd.GetResultsParams{Format: &format})
	check(err)
	hit := page.JSON200.Hits[0]
	fmt.Println(status, page.JSON200.Total, hit.Subject, *hit.Identity, len(table.Body))
	missing, err := client.GetJobWithResponse(ctx, "00000000", &blastd.GetJobParams{})
	check(err)
	fmt.Println(missing.StatusCode(), missing.ApplicationproblemJSON404.Code)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
