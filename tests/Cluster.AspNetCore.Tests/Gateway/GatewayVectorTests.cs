using System.Text.Json.Nodes;

namespace ActorCluster.AspNetCore.Tests.Gateway;

/// <summary>The gateway's half of the conformance vectors.</summary>
public class GatewayVectorTests(SharedNode shared)
{
    private static readonly JsonArray Frames = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Vectors, "server-frames.json")))!.AsArray();

    public static TheoryData<string> Names => [.. Frames.Select(f => (string)f!["name"]!)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task The_gateway_answers_the_frame_as_the_vector_says(string name)
    {
        var vector = Frames.Single(f => (string)f!["name"]! == name)!;
        var first = (bool?)vector["first"] == true;
        await using var client = first ? await RawClient.OpenAsync(shared.Url, "vector") : await RawClient.GreetAsync(shared.Url, "vector");
        await client.SendAsync((string)vector["send"]!);
        var answer = await client.NextAsync();
        Assert.NotNull(answer);
        foreach (var (field, expected) in vector["expect"]!.AsObject())
            Assert.True(JsonNode.DeepEquals(expected, answer[field]), $"Expected {vector["expect"]!.ToJsonString()}; found {answer.ToJsonString()}");
        Assert.InRange(((string)answer["message"]!).Length, 10, 300);
        if (first) Assert.Empty(await client.RestAsync()); // A bye is the end.
        else Assert.Equal("ok", (string?)(await client.AskAsync(900, "\"cmd\":\"presence\",\"users\":[\"nobody\"]"))["op"]); // Anything else is not.
    }
}
