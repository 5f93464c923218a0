// Runs a spiking model on a stream: each frame goes in for some time steps, and the state of all neurons goes on to the next.
//
//   Stream LIBRARY MODEL FRAMES [STEPS]
//
// LIBRARY  libonnx_snn.so or onnx_snn.dll; `python -c "import snn_ops; print(snn_ops.library_path())"` says where it is
// MODEL    a .snn.onnx file made with --streaming, with one input, whose first axis is the batch
// FRAMES   the float32 numbers of one or more inputs, one after the other, as raw bytes
// STEPS    time steps of each frame; without it, the number that the model was made for
//
// ONNX Runtime allocates outputs and states, and a state is bound as the next call's input where it lies: nothing is copied. The
// first call binds no states: their defaults are those at rest. Prints a line for each frame: the class, then every score.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;

public static class Program
{
    public static int Main(string[] arguments)
    {
        if (arguments.Length < 3 || arguments.Length > 4)
        {
            Console.Error.WriteLine("usage: Stream LIBRARY MODEL FRAMES [STEPS]");
            return 2;
        }
        try
        {
            long? steps = arguments.Length == 4 ? long.Parse(arguments[3], CultureInfo.InvariantCulture) : (long?)null;
            Run(arguments[0], arguments[1], arguments[2], steps);
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine("Stream: " + error.Message.Replace('\n', ' '));
            return 1;
        }
    }

    private static void Run(string library, string model, string frames, long? steps)
    {
        byte[] bytes = File.ReadAllBytes(frames);
        using (var options = new SessionOptions())
        {
            options.RegisterCustomOpLibrary(library);
            using (var session = new InferenceSession(model, options))
            {
                var metadata = session.ModelMetadata.CustomMetadataMap;
                if (metadata.TryGetValue("onnx_snn.format", out string format) && long.Parse(format) > 1)
                    throw new InvalidDataException(model + ": made for format " + format + ", this program reads 1");
                if (!metadata.TryGetValue("onnx_snn.states", out string states))
                    throw new InvalidDataException(model + ": its states are not inputs: convert it with --streaming");
                string input = session.InputMetadata.Keys.First(), output = session.OutputMetadata.Keys.First();
                long[] shape = session.InputMetadata[input].Dimensions.Select(n => (long)n).ToArray();
                shape[0] = 1;
                int numbers = (int)shape.Aggregate((a, b) => a * b);
                if (bytes.Length == 0 || bytes.Length % (4 * numbers) != 0)
                    throw new InvalidDataException(frames + ": not a whole number of inputs of " + numbers + " float32 numbers");
                foreach (float[] scores in Scores(session, input, output, Pairs(states), Frames(bytes, numbers), shape, steps))
                {
                    int best = Array.IndexOf(scores, scores.Max());
                    Console.WriteLine(best + " " + string.Join(" ", scores.Select(s => s.ToString("G9", CultureInfo.InvariantCulture))));
                }
            }
        }
    }

    private static IEnumerable<float[]> Frames(byte[] bytes, int numbers)
    {
        for (int at = 0; at < bytes.Length; at += 4 * numbers)
        {
            var frame = new float[numbers];
            Buffer.BlockCopy(bytes, at, frame, 0, 4 * numbers);
            yield return frame;
        }
    }

    // [{"input": "a", "output": "b"}, ...]; a JSON library reads names with escapes too.
    private static List<KeyValuePair<string, string>> Pairs(string json)
    {
        return Regex.Matches(json, "\"input\": *\"([^\"\\\\]*)\", *\"output\": *\"([^\"\\\\]*)\"").Cast<Match>()
            .Select(match => new KeyValuePair<string, string>(match.Groups[1].Value, match.Groups[2].Value)).ToList();
    }

    private static IEnumerable<float[]> Scores(InferenceSession session, string input, string output,
        List<KeyValuePair<string, string>> states, IEnumerable<float[]> frames, long[] shape, long? steps)
    {
        var held = new List<OrtValue>(); // the states, as ONNX Runtime allocated them; none: at rest
        using (var run = new RunOptions())
        {
            foreach (float[] frame in frames)
            {
                using (OrtIoBinding binding = session.CreateIoBinding())
                using (OrtValue image = OrtValue.CreateTensorValueFromMemory(frame, shape))
                using (OrtValue count = OrtValue.CreateTensorValueFromMemory(new[] { steps ?? 1 }, new long[0]))
                {
                    binding.BindInput(input, image);
                    if (steps != null) binding.BindInput("n_steps", count);
                    for (int i = 0; i < held.Count; ++i) binding.BindInput(states[i].Key, held[i]);
                    binding.BindOutputToDevice(output, OrtMemoryInfo.DefaultInstance);
                    foreach (var state in states) binding.BindOutputToDevice(state.Value, OrtMemoryInfo.DefaultInstance);
                    session.RunWithBinding(run, binding);
                    var results = binding.GetOutputValues().ToList(); // in the order in which they were bound
                    float[] scores = results[0].GetTensorDataAsSpan<float>().ToArray();
                    results[0].Dispose();
                    foreach (OrtValue old in held) old.Dispose();
                    held = results.Skip(1).ToList();
                    yield return scores;
                }
            }
        }
        foreach (OrtValue last in held) last.Dispose();
    }
}
